//! Migrations: numbered steps, one SQL script for each database, and a ledger in the database of what was applied.
//!
//! Each step and its entry in the ledger are one transaction, made under a lock that other migrators wait for: a process
//! that is killed in the middle leaves nothing behind. What does not fit the ledger (a step that was changed, is missing,
//! comes out of order, or is newer than this program) is refused with what to do; nothing is ever guessed.

extern crate larder_core as larder;

mod ledger;
mod plan;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use larder_core::{Begin, Capability, Clock, Error, ErrorKind, Migration, Migrations, Result, Sql, Store};

pub use ledger::{LEDGER, LedgerEntry};

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
    let mut status = Status::default();
    if !store.supports(Capability::Sql) {
        return Ok(status);
    }
    for set in sets {
        let applied = ledger::read(store, set.source()).await?;
        let pending = plan::pending(set, &applied)?;
        status.pending.extend(pending.iter().map(|step| set.describe(step)));
        status.applied.extend(applied);
    }
    Ok(status)
}

/// Applies all pending steps, set by set, each in a transaction of its own. Any number of migrators may run at once:
/// each step is applied by one of them.
///
/// # Errors
/// `Migration` when the ledger and the migrations do not fit, and when a step fails (it is then undone, the ones before it
/// stay); `Busy` when another migrator holds the lock for too long; those of the connection.
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
    let mut transaction = store.begin(Begin::Schema).await?;
    transaction.sql(ledger::creation()?).await?;
    let entries = ledger::read_in(&mut *transaction, set.source()).await?;
    let Some(step) = plan::pending(set, &entries)?.first().copied() else {
        transaction.rollback().await?;
        return Ok(None);
    };
    let begun = Instant::now();
    let script = Sql::new(step.postgres.to_string(), step.sqlite.to_string());
    transaction.sql(script).await.map_err(|error| failed(set, step, error))?;
    let duration = begun.elapsed();
    ledger::record(&mut *transaction, set, step, clock.now(), duration).await?;
    transaction.commit().await?;
    Ok(Some(Applied { step: set.describe(step), duration }))
}

fn failed(set: &Migrations, step: &Migration, error: Error) -> Error {
    let what = format!("{} failed and was undone; the steps before it stay: {error}", set.describe(step));
    Error::new(ErrorKind::Migration, what).with_source(error)
}
