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
