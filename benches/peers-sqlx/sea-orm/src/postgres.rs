//! SeaORM on PostgreSQL.

mod bench;
mod entities;

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use contender::{Failure, Opening, serve};
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, QuerySelect, Select,
    sea_query::{LockBehavior, LockType},
};

use entities::job;

fn main() -> ExitCode {
    serve::<bench::Bench>()
}

pub(crate) type Time = DateTime<Utc>;

/// Six values a row, below PostgreSQL's limit of 65,535.
pub(crate) const ROWS: usize = 10_000;

pub(crate) fn now() -> Time {
    Utc::now()
}

pub(crate) fn after(now: Time, duration: std::time::Duration) -> Time {
    now + duration
}

/// A pool to read from and one to write to: here the same. Connections are not tested at each checkout, which would cost
/// a round trip.
pub(crate) async fn open(opening: &Opening) -> Result<(DatabaseConnection, DatabaseConnection), Failure> {
    let mut options = ConnectOptions::new(&opening.url);
    options.max_connections(opening.connections).test_before_acquire(false).sqlx_logging(false);
    let database = Database::connect(options).await?;
    Ok((database.clone(), database))
}

/// Leaves out what another transaction is claiming.
pub(crate) fn lock(due: Select<job::Entity>) -> Select<job::Entity> {
    due.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
}
