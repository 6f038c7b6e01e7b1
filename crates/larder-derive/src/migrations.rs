//! `migrations!`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Error, Ident, LitStr, Result, Token,
    parse::{Parse, ParseStream},
};

const USAGE: &str =
    "write `migrations!(\"source\", postgres = \"migrations-postgres\", sqlite = \"migrations-sqlite\")`";

/// The macro's arguments.
pub(crate) struct Input {
    source: LitStr,
    postgres: LitStr,
    sqlite: LitStr,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let usage = |error: Error| Error::new(error.span(), format!("{error}; {USAGE}"));
        let source: LitStr = input.parse().map_err(usage)?;
        let (mut postgres, mut sqlite) = (None, None);
        while !input.is_empty() {
            input.parse::<Token![,]>().map_err(usage)?;
            if input.is_empty() {
                break;
            }
            let name: Ident = input.parse().map_err(usage)?;
            input.parse::<Token![=]>().map_err(usage)?;
            let path: LitStr = input.parse().map_err(usage)?;
            let slot = match name.to_string().as_str() {
                "postgres" => &mut postgres,
                "sqlite" => &mut sqlite,
                _ => return Err(Error::new(name.span(), format!("unknown argument `{name}`; {USAGE}"))),
            };
            if slot.replace(path).is_some() {
                return Err(Error::new(name.span(), format!("`{name}` is given twice; {USAGE}")));
            }
        }
        match (postgres, sqlite) {
            (Some(postgres), Some(sqlite)) => Ok(Self { source, postgres, sqlite }),
            _ => Err(Error::new(source.span(), format!("both directories are needed; {USAGE}"))),
        }
    }
}

/// A file of a directory.
struct Migration {
    name: String,
    path: PathBuf,
}

/// The expression that embeds the migrations of both directories, which are relative to `root`.
pub(crate) fn expand(input: &Input, root: &Path) -> Result<TokenStream> {
    let postgres = directory(root, &input.postgres)?;
    let sqlite = directory(root, &input.sqlite)?;
    check_alike(&postgres, &sqlite, input)?;
    let migrations = postgres
        .iter()
        .zip(sqlite.values())
        .map(|((number, postgres), sqlite)| {
            let (name, postgres, sqlite) =
                (&postgres.name, text(&postgres.path, input)?, text(&sqlite.path, input)?);
            Ok(quote!((#number, #name, ::core::include_str!(#postgres), ::core::include_str!(#sqlite))))
        })
        .collect::<Result<Vec<_>>>()?;
    let source = &input.source;
    Ok(quote!(::larder::Migrations::embedded(#source, &[#(#migrations),*])))
}

/// The migrations of a directory by number: from 1, without a gap.
fn directory(root: &Path, literal: &LitStr) -> Result<BTreeMap<u32, Migration>> {
    let refused = |reason: String| Error::new(literal.span(), reason);
    let path = root.join(literal.value());
    let unreadable = |error: std::io::Error| refused(format!("cannot read {}: {error}", path.display()));
    let mut migrations = BTreeMap::new();
    for entry in std::fs::read_dir(&path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let file = entry.file_name().to_string_lossy().into_owned();
        // What editors and version control leave behind is hidden.
        if file.starts_with('.') {
            continue;
        }
        let (number, name) = parse_name(&file).ok_or_else(|| {
            refused(format!(
                "{}: not a migration: files are named like `0001_create_users.sql`",
                entry.path().display()
            ))
        })?;
        let migration = Migration { name: name.to_owned(), path: entry.path() };
        if let Some(other) = migrations.insert(number, migration) {
            let other = file_name(number, &other.name);
            return Err(refused(format!("{}: both {other} and {file} are number {number}", path.display())));
        }
    }
    let gap = (1..).zip(migrations.keys()).find(|(expected, number)| expected != *number);
    match gap {
        Some((expected, _)) => Err(refused(format!("{}: number {expected:04} is missing", path.display()))),
        None => Ok(migrations),
    }
}

/// `0001_create_users.sql` is number 1, `create_users`.
fn parse_name(file: &str) -> Option<(u32, &str)> {
    let (number, name) = file.strip_suffix(".sql")?.split_once('_')?;
    let is_number = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_number && is_name { Some((number.parse().ok()?, name)) } else { None }
}

fn file_name(number: u32, name: &str) -> String {
    format!("{number:04}_{name}.sql")
}

fn check_alike(
    postgres: &BTreeMap<u32, Migration>,
    sqlite: &BTreeMap<u32, Migration>,
    input: &Input,
) -> Result<()> {
    let has = |migrations: &BTreeMap<u32, Migration>, number: &u32, name: &str| {
        migrations.get(number).is_some_and(|other| other.name == name)
    };
    let missing = |literal: &LitStr, number: &u32, name: &str| {
        let file = file_name(*number, name);
        Err(Error::new(
            literal.span(),
            format!("{} has no {file}: both have the same migrations", literal.value()),
        ))
    };
    for (number, Migration { name, .. }) in postgres {
        if !has(sqlite, number, name) {
            return missing(&input.sqlite, number, name);
        }
    }
    for (number, Migration { name, .. }) in sqlite {
        if !has(postgres, number, name) {
            return missing(&input.postgres, number, name);
        }
    }
    Ok(())
}

/// The path as a literal for `include_str!`.
fn text<'a>(path: &'a Path, input: &Input) -> Result<&'a str> {
    path.to_str()
        .ok_or_else(|| Error::new(input.source.span(), format!("the path {} is not UTF-8", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two directories `p` and `s` with empty files of these names.
    fn directories(postgres: &[&str], sqlite: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        for (directory, files) in [("p", postgres), ("s", sqlite)] {
            std::fs::create_dir(root.path().join(directory)).expect("a directory");
            for file in files {
                std::fs::write(root.path().join(directory).join(file), "").expect("a file");
            }
        }
        root
    }

    fn expanded(root: &Path) -> Result<String> {
        let input = syn::parse_str(r#""app", postgres = "p", sqlite = "s""#)?;
        expand(&input, root).map(|tokens| tokens.to_string())
    }

    fn refusal(postgres: &[&str], sqlite: &[&str]) -> String {
        expanded(directories(postgres, sqlite).path()).expect_err("refused").to_string()
    }

    #[test]
    fn both_files_of_each_number_are_embedded_in_order() {
        let files = ["0002_add_jobs.sql", "0001_users.sql", ".gitignore"];
        let root = directories(&files, &files);
        let path = |file: &str| root.path().join(file).to_str().expect("UTF-8").to_owned();
        let (p1, s1) = (path("p/0001_users.sql"), path("s/0001_users.sql"));
        let (p2, s2) = (path("p/0002_add_jobs.sql"), path("s/0002_add_jobs.sql"));
        let expected = quote!(::larder::Migrations::embedded(
            "app",
            &[
                (1u32, "users", ::core::include_str!(#p1), ::core::include_str!(#s1)),
                (2u32, "add_jobs", ::core::include_str!(#p2), ::core::include_str!(#s2))
            ]
        ));
        assert_eq!(expanded(root.path()).expect("migrations"), expected.to_string());
    }

    #[test]
    fn no_migrations_yet_is_no_error() {
        assert!(expanded(directories(&[], &[]).path()).is_ok());
    }

    #[test]
    fn a_directory_that_is_not_there_is_refused() {
        let root = tempfile::tempdir().expect("a directory");
        assert!(expanded(root.path()).expect_err("refused").to_string().starts_with("cannot read "));
    }

    #[test]
    fn names_of_another_form_are_refused() {
        for file in
            ["001_users.sql", "0001_Users.sql", "0001-users.sql", "0001_users.txt", "0001_.sql", "users.sql"]
        {
            let refusal = refusal(&[file], &[file]);
            assert!(refusal.contains("files are named like `0001_create_users.sql`"), "{file}: {refusal}");
        }
    }

    #[test]
    fn gaps_and_numbers_used_twice_are_refused() {
        let files = ["0001_users.sql", "0003_jobs.sql"];
        assert!(refusal(&files, &files).ends_with("number 0002 is missing"));
        assert!(refusal(&["0000_users.sql"], &[]).ends_with("number 0001 is missing"));
        let files = ["0001_users.sql", "0001_jobs.sql"];
        assert!(refusal(&files, &files).ends_with("are number 1"));
    }

    #[test]
    fn directories_that_differ_are_refused() {
        let both = "both have the same migrations";
        assert_eq!(refusal(&["0001_a.sql"], &[]), format!("s has no 0001_a.sql: {both}"));
        assert_eq!(
            refusal(&["0001_a.sql"], &["0001_a.sql", "0002_b.sql"]),
            format!("p has no 0002_b.sql: {both}")
        );
        assert_eq!(refusal(&["0001_a.sql"], &["0001_b.sql"]), format!("s has no 0001_a.sql: {both}"));
    }

    #[test]
    fn arguments_are_checked() {
        for wrong in
            [r#""app""#, r#""app", postgres = "p""#, r#""app", postgres = "p", postgres = "p", sqlite = "s""#]
        {
            let error = syn::parse_str::<Input>(wrong).err().expect("refused").to_string();
            assert!(error.ends_with(USAGE), "{error}");
        }
    }
}
