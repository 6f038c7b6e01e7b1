//! The databases: loaded once, and a fresh copy of what was loaded for each workload.

mod file;
mod load;
mod postgres;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use contender::{Failure, Key, protocol::write_keys, text::new_definition};
use larder::prelude::*;
use serde::{Deserialize, Serialize};

pub(crate) use load::Size;

/// A database and how it commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Database {
    /// PostgreSQL, with durable settings.
    Postgres,
    /// An SQLite or libSQL file, WAL, synchronous FULL; only workloads that write.
    SqliteFull,
    /// An SQLite or libSQL file, WAL, synchronous NORMAL.
    SqliteNormal,
}

impl Database {
    pub(crate) fn is_postgres(self) -> bool {
        self == Self::Postgres
    }

    /// The name on the command line and in results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::SqliteFull => "sqlite-full",
            Self::SqliteNormal => "sqlite-normal",
        }
    }

    /// The setting of `synchronous`.
    pub(crate) fn synchronous(self) -> &'static str {
        if self == Self::SqliteFull { "full" } else { "normal" }
    }
}

/// What was loaded, to make copies of.
pub(crate) struct Loaded {
    kind: Original,
    /// All jobs.
    pub(crate) keys: Vec<Key>,
    directory: PathBuf,
}

enum Original {
    Postgres(postgres::Original),
    File(file::Original),
}

impl Loaded {
    /// Creates and loads a database.
    pub(crate) async fn load(database: Database, size: Size, directory: &Path) -> Result<Self, Failure> {
        let (kind, keys) = if database.is_postgres() {
            let (original, keys) = postgres::Original::load(size, directory).await?;
            (Original::Postgres(original), keys)
        } else {
            let (original, keys) = file::Original::load(size, directory).await?;
            (Original::File(original), keys)
        };
        write_keys(&directory.join("keys"), &keys)?;
        Ok(Self { kind, keys, directory: directory.to_owned() })
    }

    /// A fresh copy.
    pub(crate) async fn copy(&self) -> Result<Copy, Failure> {
        let kind = match &self.kind {
            Original::Postgres(original) => Kind::Postgres(original.copy().await?),
            Original::File(original) => Kind::File(original.copy().await?),
        };
        Ok(Copy { kind, keys: self.keys.clone(), directory: self.directory.clone() })
    }

    /// What the server says of itself; of a file, what larder's engine does.
    pub(crate) fn version(&self) -> String {
        match &self.kind {
            Original::Postgres(original) => original.version(),
            Original::File(original) => original.version.clone(),
        }
    }
}

/// A copy for one workload.
pub(crate) struct Copy {
    kind: Kind,
    keys: Vec<Key>,
    directory: PathBuf,
}

enum Kind {
    Postgres(postgres::Copy),
    File(file::Copy),
}

impl Copy {
    /// What contenders open.
    pub(crate) fn url(&self) -> String {
        match &self.kind {
            Kind::Postgres(copy) => copy.url(),
            Kind::File(copy) => copy.path(),
        }
    }

    /// The file with the keys of all jobs.
    pub(crate) fn keys(&self) -> String {
        self.directory.join("keys").display().to_string()
    }

    /// Makes `count` jobs due, and no others; answers how many are.
    pub(crate) async fn make_due(&self, count: usize) -> Result<u64, Failure> {
        let step = (self.keys.len() / count).max(1);
        match &self.kind {
            Kind::Postgres(copy) => copy.make_due(&self.keys, step, count).await,
            Kind::File(copy) => copy.make_due(step, count).await,
        }
    }

    /// Inserts `count` jobs to be deleted; answers the file with their keys.
    pub(crate) async fn stock(&self, count: usize) -> Result<String, Failure> {
        let user = self.keys[fastrand::usize(..self.keys.len())].user;
        let new = (0..count).map(|_| NewJob::new(new_definition()));
        let larder = match &self.kind {
            Kind::Postgres(copy) => copy.larder(),
            Kind::File(copy) => copy.larder(),
        };
        let jobs = larder.user(UserId::from_uuid(user)).jobs().create_many(new).await?;
        let keys: Vec<_> = jobs.iter().map(|job| Key { user, job: job.id.uuid() }).collect();
        let path = self.directory.join("stock");
        write_keys(&path, &keys)?;
        Ok(path.display().to_string())
    }

    /// The time that the server has spent on processors, in seconds; `None` when there is no server, or its processes
    /// cannot be seen.
    pub(crate) fn server_cpu(&self) -> Option<f64> {
        match &self.kind {
            Kind::Postgres(copy) => copy.server_cpu(),
            Kind::File(_) => None,
        }
    }

    /// Closes what the driver has open.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        match self.kind {
            Kind::Postgres(copy) => copy.close().await,
            Kind::File(copy) => copy.close().await,
        }
    }
}
