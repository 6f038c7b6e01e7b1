//! SeaORM on an SQLite file.

mod bench;
mod entities;

use std::{process::ExitCode, time::Duration};

use chrono::Utc;
use contender::{Failure, Opening, serve};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, Select};

use entities::job;

fn main() -> ExitCode {
    serve::<bench::Bench>()
}

/// Microseconds since 1970.
pub(crate) type Time = i64;

/// Six values a row, below SQLite's limit of 32,766.
pub(crate) const ROWS: usize = 5_000;

pub(crate) fn now() -> Time {
    Utc::now().timestamp_micros()
}

pub(crate) fn after(now: Time, duration: Duration) -> Time {
    now + i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A pool to read from, and one of a single connection to write to, as SQLite has one writer at a time.
pub(crate) async fn open(opening: &Opening) -> Result<(DatabaseConnection, DatabaseConnection), Failure> {
    Ok((connect(opening, opening.connections).await?, connect(opening, 1).await?))
}

async fn connect(opening: &Opening, connections: u32) -> Result<DatabaseConnection, Failure> {
    let synchronous = opening.synchronous.clone();
    let mut options = ConnectOptions::new(format!("sqlite://{}", opening.url));
    options.max_connections(connections).test_before_acquire(false).sqlx_logging(false);
    options.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite
            .pragma("journal_mode", "wal")
            .pragma("synchronous", synchronous.clone())
            .busy_timeout(Duration::from_secs(30))
            .pragma("cache_size", "-16384")
    });
    Ok(Database::connect(options).await?)
}

/// The transaction around it is the only one that writes.
pub(crate) fn lock(due: Select<job::Entity>) -> Select<job::Entity> {
    due
}
