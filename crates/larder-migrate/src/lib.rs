//! Migrations: numbered steps, one SQL script for each database, and a ledger in the database of what was applied.
//!
//! Each step and its entry in the ledger are one transaction, made under a lock that other migrators wait for: a process
//! that is killed in the middle leaves nothing behind. What does not fit the ledger (a step that was changed, is missing,
//! comes out of order, or is newer than this program) is refused with what to do; nothing is ever guessed.

extern crate larder_core as larder;

mod boundary;
mod failure;
mod ledger;
mod plan;
mod step;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use larder_core::{Capability, Clock, Error, ErrorKind, Migrations, Result, Store};

pub use ledger::{LEDGER, LedgerEntry};

/// For how long [`migrate`] tries again while another migrator holds the lock, or while a step loses against what the
/// application writes. It counts for each step anew.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two tries, after the store itself has waited for the lock as long as it does.
const PAUSE: Duration = Duration::from_millis(50);

/// Where a database stands against the migrations that a program brings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// The steps that were applied, by source and number.
    pub applied: Vec<LedgerEntry>,
    /// The steps that were not, in the order in which they will be: `larder 0002_leases`.
    pub pending: Vec<String>,
}

/// A step that [`migrate`] applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The step: `larder 0002_leases`.
    pub step: String,
    /// How long its script took.
    pub duration: Duration,
}

/// Compares the database's ledger with the migrations that the program brings. Changes nothing.
///
/// A store without SQL ([`Capability::Sql`]) has its schema given and nothing to migrate.
///
/// # Errors
/// `Migration` when the ledger and the migrations do not fit, saying what to do; those of the connection.
pub async fn status(store: &Arc<dyn Store>, sets: &[Migrations]) -> Result<Status> {
    plan::check_sources(sets)?;
    let mut status = Status::default();
    if !store.supports(Capability::Sql) {
        return Ok(status);
    }
    status.applied = ledger::read(store, sets).await?;
    for set in sets {
        let pending = plan::pending(set, &status.applied)?;
        status.pending.extend(pending.into_iter().map(|step| set.describe(step)));
    }
    Ok(status)
}

/// Applies all pending steps, set by set, each in a transaction of its own, and tells which it applied. Any number of
/// migrators may run at once: each step is applied by one of them, and all return when none is pending.
///
/// # Errors
/// - `Migration` when the ledger and the migrations do not fit: nothing was applied.
/// - `Migration` when a step fails: it is undone, the ones before it stay.
/// - `Busy` or `Contention` when that lasted longer than [`PATIENCE`].
/// - Those of the connection; migrating again goes on where it stopped.
pub async fn migrate(store: &Arc<dyn Store>, clock: &dyn Clock, sets: &[Migrations]) -> Result<Vec<Applied>> {
    let mut applied = Vec::new();
    // What needs no lock is asked first: most starts of a program find nothing to do.
    if status(store, sets).await?.pending.is_empty() {
        return Ok(applied);
    }
    for set in sets {
        while let Some(step) = apply_next(store, clock, set).await? {
            tracing::info!(step = step.step, duration = ?step.duration, "migrated");
            applied.push(step);
        }
    }
    Ok(applied)
}

/// Applies the first pending step of a set; `None` when there is none.
async fn apply_next(store: &Arc<dyn Store>, clock: &dyn Clock, set: &Migrations) -> Result<Option<Applied>> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match step::apply_next(store, clock, set).await {
            Err(error) if error.is_retryable() && Instant::now() < give_up => {
                tracing::debug!(%error, "migrations have to wait");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) if *error.kind() == ErrorKind::Busy => return Err(still_busy(error)),
            done => return done,
        }
    }
}

fn still_busy(error: Error) -> Error {
    let what = "another migrator, or a long transaction, holds the lock: migrate again when it has ended";
    Error::new(ErrorKind::Busy, what).with_source(error)
}
