//! What the driver and a contender say to each other: JSON, one value a line.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Key, Workload};

/// What a contender is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// Open the database, and read the keys of the jobs in it from this file.
    Open {
        /// `postgres://…`, or the path of an SQLite file.
        url: String,
        /// The size of the pool.
        connections: u32,
        /// On SQLite: `full` or `normal`.
        synchronous: String,
        /// Which of the contender's ways.
        variant: String,
        /// The file of keys; see [`write_keys`].
        keys: String,
    },
    /// Run a workload.
    Run(Run),
}

/// A round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// Which workload.
    pub workload: Workload,
    /// How many callers at once.
    pub callers: usize,
    /// How long at most.
    pub seconds: f64,
    /// How many operations at most.
    pub operations: Option<u64>,
    /// The keys of the jobs to use up, for a workload that does that with keys.
    pub keys: Option<String>,
}

/// What it answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// The database is open.
    Opened {
        /// The engine's version, for one that is part of the program.
        engine: Option<String>,
    },
    /// The round is over.
    Measured(Measured),
    /// The library cannot do it.
    Unsupported {
        /// Why.
        reason: String,
    },
    /// It failed.
    Failed {
        /// How.
        error: String,
    },
}

/// What a round gave.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Measured {
    /// Operations done: calls; for claims and work, jobs.
    pub operations: u64,
    /// How long that took.
    pub seconds: f64,
    /// The median latency of a call, in microseconds.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The longest.
    pub max: f64,
    /// The time that this process spent on processors, in seconds.
    pub cpu: f64,
}

/// Writes keys to a file: 32 bytes each, the user and the job.
///
/// # Errors
/// Those of the file.
pub fn write_keys(path: &Path, keys: &[Key]) -> io::Result<()> {
    let bytes: Vec<u8> =
        keys.iter().flat_map(|key| [key.user.into_bytes(), key.job.into_bytes()].concat()).collect();
    fs::write(path, bytes)
}

/// Reads keys from a file.
///
/// # Errors
/// Those of the file.
pub fn read_keys(path: &Path) -> io::Result<Vec<Key>> {
    let id = |bytes: &[u8]| Uuid::from_slice(bytes).map_err(io::Error::other);
    fs::read(path)?
        .chunks_exact(32)
        .map(|pair| Ok(Key { user: id(&pair[..16])?, job: id(&pair[16..])? }))
        .collect()
}
