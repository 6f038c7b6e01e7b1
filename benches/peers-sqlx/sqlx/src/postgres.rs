//! sqlx on PostgreSQL.

mod bench;
mod rows;

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use contender::{Failure, Opening, serve};
use sqlx::{PgPool, postgres::PgPoolOptions, query, query_as};
use uuid::Uuid;

use rows::Message;

fn main() -> ExitCode {
    serve::<bench::Bench>()
}

pub(crate) type Pool = PgPool;
pub(crate) type Time = DateTime<Utc>;

pub(crate) const BEGIN: &str = "BEGIN";

/// A materialized CTE holds its limit under every plan, and one statement needs no transaction around it.
pub(crate) const CLAIM: &str = concat!(
    "WITH due AS MATERIALIZED (SELECT id AS due_id FROM jobs \
     WHERE status = 'ACTIVE' AND next_run_at <= $1 AND (locked_until IS NULL OR locked_until <= $1) \
     ORDER BY next_run_at, id LIMIT $4 FOR UPDATE SKIP LOCKED) \
     UPDATE jobs SET locked_until = $2, lock_owner = $3, lock_token = lock_token + 1, updated_at = $1 \
     FROM due WHERE id = due_id RETURNING ",
    rows::job_columns!()
);

pub(crate) fn now() -> Time {
    Utc::now()
}

pub(crate) fn after(now: Time, duration: std::time::Duration) -> Time {
    now + duration
}

/// A pool to read from and one to write to: here the same. Connections are not tested at each checkout, which would cost
/// a round trip.
pub(crate) async fn open(opening: &Opening) -> Result<(Pool, Pool), Failure> {
    let options = PgPoolOptions::new().max_connections(opening.connections).test_before_acquire(false);
    let pool = options.connect(&opening.url).await?;
    Ok((pool.clone(), pool))
}

pub(crate) async fn engine(_: &Pool) -> Result<Option<String>, Failure> {
    Ok(None)
}

pub(crate) async fn messages(pool: &Pool, user: Uuid, jobs: &[Uuid]) -> Result<Vec<Message>, Failure> {
    const SQL: &str = concat!(
        "SELECT ",
        rows::message_columns!(),
        " FROM messages WHERE user_id = $1 AND job_id = ANY($2) ORDER BY created_at, id"
    );
    Ok(query_as(SQL).bind(user).bind(jobs).fetch_all(pool).await?)
}

/// As sqlx's FAQ has it: arrays and UNNEST.
pub(crate) async fn bulk(pool: &Pool, user: Uuid, definitions: &[String]) -> Result<(), Failure> {
    const SQL: &str = "INSERT INTO jobs (id, user_id, definition, created_at, updated_at, definition_search) \
         SELECT id, $1, definition, now, now, search \
         FROM UNNEST($2::uuid[], $3::text[], $4::timestamptz[], $5::text[]) AS new (id, definition, now, search)";
    let ids: Vec<Uuid> = definitions.iter().map(|_| Uuid::now_v7()).collect();
    let times: Vec<Time> = definitions.iter().map(|_| now()).collect();
    let searches: Vec<String> = definitions.iter().map(|text| text.to_lowercase()).collect();
    query(SQL).bind(user).bind(ids).bind(definitions).bind(times).bind(searches).execute(pool).await?;
    Ok(())
}
