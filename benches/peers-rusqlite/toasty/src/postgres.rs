//! Toasty on PostgreSQL.

mod bench;
mod models;

use std::process::ExitCode;

use chrono::Utc;
use contender::{Failure, Opening, serve};
use toasty::{Db, Transaction, stmt::Timestamp};
use uuid::Uuid;

use models::{Job, Role, Source, User};

fn main() -> ExitCode {
    serve::<bench::Bench>()
}

pub(crate) type Time = Timestamp;

/// Six values a row, below PostgreSQL's limit of 65,535.
pub(crate) const ROWS: usize = 2_500;

pub(crate) fn now() -> Time {
    Timestamp::from_microsecond(Utc::now().timestamp_micros()).unwrap_or_default()
}

pub(crate) fn content(text: &str) -> serde_json::Value {
    serde_json::Value::String(text.to_owned())
}

/// A pool to read from and one to write to: here the same.
pub(crate) async fn open(opening: &Opening) -> Result<(Db, Db), Failure> {
    let mut builder = Db::builder();
    builder.models(toasty::models!(Job, Message, User)).max_pool_size(opening.connections as usize);
    let db = builder.connect(&opening.url).await?;
    Ok((db.clone(), db))
}

pub(crate) async fn begin(db: &mut Db) -> Result<Transaction<'_>, Failure> {
    Ok(db.transaction().await?)
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
    #[column(type = jsonb)]
    pub content: serde_json::Value,
    pub source: Option<Source>,
    pub created_at: Time,
    pub updated_at: Time,
    pub content_search: Option<String>,
}
