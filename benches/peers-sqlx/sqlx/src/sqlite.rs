//! sqlx on an SQLite file.

mod bench;
mod rows;

use std::{process::ExitCode, str::FromStr, time::Duration};

use chrono::Utc;
use contender::{Failure, Opening, serve};
use sqlx::{
    QueryBuilder, Sqlite, SqlitePool, query_scalar,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use uuid::Uuid;

use rows::Message;

fn main() -> ExitCode {
    serve::<bench::Bench>()
}

pub(crate) type Pool = SqlitePool;
/// Microseconds since 1970.
pub(crate) type Time = i64;

/// Not deferred: one that turned from reading to writing would fail when another had written meanwhile.
pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";

pub(crate) const CLAIM: &str = concat!(
    "UPDATE jobs SET locked_until = $2, lock_owner = $3, lock_token = lock_token + 1, updated_at = $1 \
     WHERE id IN (SELECT id FROM jobs WHERE status = 'ACTIVE' AND next_run_at <= $1 \
     AND (locked_until IS NULL OR locked_until <= $1) ORDER BY next_run_at, id LIMIT $4) RETURNING ",
    rows::job_columns!()
);

/// Six values a row, below SQLite's limit of 32,766.
const ROWS: usize = 5_000;

pub(crate) fn now() -> Time {
    Utc::now().timestamp_micros()
}

pub(crate) fn after(now: Time, duration: Duration) -> Time {
    now + i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A pool to read from, and one of a single connection to write to, as SQLite has one writer at a time.
pub(crate) async fn open(opening: &Opening) -> Result<(Pool, Pool), Failure> {
    let options = SqliteConnectOptions::new()
        .filename(&opening.url)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::from_str(&opening.synchronous)?)
        .busy_timeout(Duration::from_secs(30))
        .foreign_keys(true)
        .pragma("cache_size", "-16384");
    let pool =
        |connections: u32| SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false);
    let writer = pool(1).connect_with(options.clone()).await?;
    Ok((pool(opening.connections).connect_with(options).await?, writer))
}

pub(crate) async fn engine(pool: &Pool) -> Result<Option<String>, Failure> {
    let version: String = query_scalar("SELECT sqlite_version()").fetch_one(pool).await?;
    Ok(Some(format!("SQLite {version}")))
}

/// With as many placeholders as there are jobs: the statement is the same for every full page.
pub(crate) async fn messages(pool: &Pool, user: Uuid, jobs: &[Uuid]) -> Result<Vec<Message>, Failure> {
    let mut query = QueryBuilder::<Sqlite>::new(concat!(
        "SELECT ",
        rows::message_columns!(),
        " FROM messages WHERE user_id = "
    ));
    query.push_bind(user).push(" AND job_id IN (");
    let mut ids = query.separated(", ");
    for job in jobs {
        ids.push_bind(*job);
    }
    query.push(") ORDER BY created_at, id");
    Ok(query.build_query_as().fetch_all(pool).await?)
}

/// As sqlx's documentation of `QueryBuilder::push_values` has it.
pub(crate) async fn bulk(pool: &Pool, user: Uuid, definitions: &[String]) -> Result<(), Failure> {
    let mut transaction = pool.begin_with(BEGIN).await?;
    for rows in definitions.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO jobs (id, user_id, definition, created_at, updated_at, definition_search) ",
        );
        query.push_values(rows, |mut row, definition| {
            let now = now();
            row.push_bind(Uuid::now_v7()).push_bind(user).push_bind(definition);
            row.push_bind(now).push_bind(now).push_bind(definition.to_lowercase());
        });
        query.build().execute(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}
