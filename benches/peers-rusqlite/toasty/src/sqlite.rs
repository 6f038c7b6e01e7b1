//! Toasty on an SQLite file.

mod bench;
mod models;

use std::process::ExitCode;

use chrono::Utc;
use contender::{Failure, Opening, serve};
use toasty::{Db, Transaction};
use toasty_core::driver::operation::TransactionMode;
use uuid::Uuid;

use models::{Job, Role, Source, User};

fn main() -> ExitCode {
    serve::<bench::Bench>()
}

/// Microseconds since 1970.
pub(crate) type Time = i64;

/// Six values a row, below SQLite's limit of 32,766.
pub(crate) const ROWS: usize = 1_000;

pub(crate) fn now() -> Time {
    Utc::now().timestamp_micros()
}

pub(crate) fn content(text: &str) -> toasty::Json<serde_json::Value> {
    toasty::Json(serde_json::Value::String(text.to_owned()))
}

/// A pool to read from, and one of a single connection to write to, as SQLite has one writer at a time.
pub(crate) async fn open(opening: &Opening) -> Result<(Db, Db), Failure> {
    Ok((connect(opening, opening.connections as usize).await?, connect(opening, 1).await?))
}

/// Its driver sets nothing on a connection: each of the pool is taken once and told how to commit. The file is in WAL mode
/// already.
async fn connect(opening: &Opening, connections: usize) -> Result<Db, Failure> {
    let mut builder = Db::builder();
    builder.models(toasty::models!(Job, Message, User)).max_pool_size(connections);
    // A connection that is replaced would commit in another way.
    builder.pool_max_connection_lifetime(None).pool_max_connection_idle_time(None);
    let db = builder.connect(&format!("sqlite:{}", opening.url)).await?;
    let mut taken = Vec::new();
    for _ in 0..connections {
        let mut connection = db.connection().await?;
        for setting in [
            format!("PRAGMA synchronous = {}", opening.synchronous),
            "PRAGMA busy_timeout = 30000".to_owned(),
            "PRAGMA foreign_keys = on".to_owned(),
            "PRAGMA cache_size = -16384".to_owned(),
        ] {
            toasty::sql::query(setting).exec(&mut connection).await?;
        }
        taken.push(connection);
    }
    Ok(db)
}

/// Not deferred: one that turned from reading to writing would fail when another had written meanwhile.
pub(crate) async fn begin(db: &mut Db) -> Result<Transaction<'_>, Failure> {
    Ok(db.transaction_builder().mode(TransactionMode::Immediate).begin().await?)
}

#[allow(unreachable_pub, dead_code)]
#[derive(Debug, toasty::Model)]
#[table = "messages"]
pub struct Message {
    #[key]
    pub id: Uuid,
    pub user_id: Uuid,
    #[index]
    pub job_id: Uuid,
    #[belongs_to(key = job_id, references = id)]
    pub job: toasty::Deferred<Job>,
    pub role: Role,
    #[column(type = text)]
    pub content: toasty::Json<serde_json::Value>,
    pub source: Option<Source>,
    pub created_at: Time,
    pub updated_at: Time,
    pub content_search: Option<String>,
}
