//! Who takes part, and how their programs are built.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use contender::Failure;

use crate::{database::Database, options::Options};

/// A contender.
#[derive(Debug, Clone)]
pub(crate) struct Entrant {
    /// Its name in the results.
    pub(crate) name: &'static str,
    /// What it is a way of using: of several ways, the best counts.
    pub(crate) peer: &'static str,
    /// The directory of its workspace, in `benches/`.
    workspace: &'static str,
    /// The name of its program and of the package, which may have several.
    program: &'static str,
    package: &'static str,
    /// Which of the program's ways it is.
    pub(crate) variant: String,
    /// The crates whose versions are named in the results.
    crates: &'static [&'static str],
    /// What it runs on.
    on: On,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum On {
    Postgres,
    File,
}

/// The name under which larder takes part.
pub(crate) const LARDER: &str = "larder";

fn entrant(
    on: On,
    (name, peer): (&'static str, &'static str),
    (workspace, package, program): (&'static str, &'static str, &'static str),
    variant: &str,
    crates: &'static [&'static str],
) -> Entrant {
    Entrant { name, peer, workspace, package, program, variant: variant.to_owned(), crates, on }
}

/// All contenders on a database that the options ask for, larder first.
pub(crate) fn on(database: Database, options: &Options) -> Vec<Entrant> {
    let on = if database.is_postgres() { On::Postgres } else { On::File };
    let asked = |entrant: &Entrant| {
        entrant.peer == LARDER
            || options.contender.is_empty()
            || options.contender.iter().any(|part| entrant.name.contains(part.as_str()))
    };
    all(options).into_iter().filter(|entrant| entrant.on == on && asked(entrant)).collect()
}

fn all(options: &Options) -> Vec<Entrant> {
    use On::{File, Postgres};
    let larder = (".", "bench-larder", "bench-larder");
    let tokio_postgres = (".", "bench-tokio-postgres", "bench-tokio-postgres");
    let diesel = (".", "bench-diesel-async", "bench-diesel-async");
    let rusqlite = ("peers-rusqlite", "bench-rusqlite", "bench-rusqlite");
    let sqlx = |program| ("peers-sqlx", "bench-sqlx", program);
    let sea_orm = |program| ("peers-sqlx", "bench-sea-orm", program);
    let toasty = |program| ("peers-rusqlite", "bench-toasty", program);
    let by_hand = &["tokio-postgres", "deadpool-postgres"];
    let alone = |name| (name, name);
    vec![
        entrant(Postgres, alone(LARDER), larder, &options.larder_postgres, &["larder", "tokio-postgres"]),
        entrant(Postgres, alone("tokio-postgres"), tokio_postgres, "copy", by_hand),
        entrant(Postgres, ("tokio-postgres-unnest", "tokio-postgres"), tokio_postgres, "unnest", by_hand),
        entrant(Postgres, alone("sqlx"), sqlx("bench-sqlx-postgres"), "", &["sqlx"]),
        entrant(Postgres, alone("sea-orm"), sea_orm("bench-sea-orm-postgres"), "", &["sea-orm", "sqlx"]),
        entrant(Postgres, alone("diesel-async"), diesel, "", &["diesel-async", "diesel"]),
        entrant(Postgres, alone("toasty"), toasty("bench-toasty-postgres"), "", &["toasty"]),
        entrant(File, alone(LARDER), larder, &options.larder_file, &["larder", "libsql-rusqlite"]),
        entrant(File, ("rusqlite-mutex", "rusqlite"), rusqlite, "mutex", &["rusqlite", "r2d2_sqlite"]),
        entrant(File, ("rusqlite-pool", "rusqlite"), rusqlite, "pool", &["rusqlite", "r2d2_sqlite"]),
        entrant(File, alone("sqlx"), sqlx("bench-sqlx-sqlite"), "", &["sqlx"]),
        entrant(File, alone("sea-orm"), sea_orm("bench-sea-orm-sqlite"), "", &["sea-orm", "sqlx"]),
        entrant(File, alone("toasty"), toasty("bench-toasty-sqlite"), "", &["toasty"]),
    ]
}

impl Entrant {
    /// Its program, once it is built.
    pub(crate) fn program(&self, benches: &Path) -> PathBuf {
        target(benches).join("release").join(self.program)
    }

    /// The crates and their versions, from the lock file.
    pub(crate) fn versions(&self, benches: &Path) -> Result<Vec<(String, String)>, Failure> {
        let lock = fs::read_to_string(benches.join(self.workspace).join("Cargo.lock"))?;
        let version = |name: &str| {
            let package = lock
                .split("[[package]]")
                .find(|package| package.lines().any(|line| line == format!("name = \"{name}\"")))?;
            let line = package.lines().find_map(|line| line.strip_prefix("version = "))?;
            Some(line.trim_matches('"').to_owned())
        };
        Ok(self
            .crates
            .iter()
            .map(|name| ((*name).to_owned(), version(name).unwrap_or_else(|| "unknown".to_owned())))
            .collect())
    }
}

/// All workspaces share one directory, so that what they have in common is built once.
fn target(benches: &Path) -> PathBuf {
    benches.join("target")
}

/// Builds the programs. One that cannot be built is left out; the answer says who, and why.
pub(crate) fn build(benches: &Path, entrants: &[Entrant]) -> Result<Vec<(&'static str, String)>, Failure> {
    let mut packages: Vec<_> = entrants.iter().map(|entrant| (entrant.workspace, entrant.package)).collect();
    packages.sort_unstable();
    packages.dedup();
    let mut failed = Vec::new();
    for (workspace, package) in packages {
        eprintln!("building {package}");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--release", "--quiet", "--package", package, "--target-dir"])
            .arg(target(benches))
            // In the workspace's directory, so that cargo's configuration, which has SQLite's flags, is found.
            .current_dir(benches.join(workspace))
            .output()?;
        if !built.status.success() {
            let error = String::from_utf8_lossy(&built.stderr);
            let first = error.lines().find(|line| line.starts_with("error")).unwrap_or("cargo failed");
            eprintln!("{error}");
            failed.push((package, format!("cannot be built: {first}")));
        }
    }
    Ok(entrants
        .iter()
        .filter_map(|entrant| {
            let failure = failed.iter().find(|(package, _)| *package == entrant.package)?;
            Some((entrant.name, failure.1.clone()))
        })
        .collect())
}
