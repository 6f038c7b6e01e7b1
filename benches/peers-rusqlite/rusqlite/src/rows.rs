//! Rows as structs, every column decoded.

// Fields that are only decoded are what a program would have decoded too.
#![allow(dead_code)]

use contender::Seen;
use rusqlite::{Result, Row, types::Type};
use uuid::Uuid;

/// Microseconds since 1970.
type Time = i64;

pub(crate) struct Job {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) definition: String,
    pub(crate) status: Status,
    pub(crate) next_run_at: Option<Time>,
    pub(crate) locked_until: Option<Time>,
    pub(crate) lock_owner: Option<String>,
    pub(crate) lock_token: i64,
    pub(crate) input_tokens: i64,
    pub(crate) output_tokens: i64,
    pub(crate) reasoning_tokens: i64,
    pub(crate) cached_input_tokens: i64,
    pub(crate) total_tokens: i64,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

pub(crate) enum Status {
    Active,
    Paused,
    Archived,
}

impl Job {
    pub(crate) fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            user_id: row.get(1)?,
            definition: row.get(2)?,
            status: match row.get_ref(3)?.as_str()? {
                "ACTIVE" => Status::Active,
                "PAUSED" => Status::Paused,
                "ARCHIVED" => Status::Archived,
                other => {
                    let unknown = format!("unknown status {other}");
                    return Err(rusqlite::Error::FromSqlConversionFailure(3, Type::Text, unknown.into()));
                }
            },
            next_run_at: row.get(4)?,
            locked_until: row.get(5)?,
            lock_owner: row.get(6)?,
            lock_token: row.get(7)?,
            input_tokens: row.get(8)?,
            output_tokens: row.get(9)?,
            reasoning_tokens: row.get(10)?,
            cached_input_tokens: row.get(11)?,
            total_tokens: row.get(12)?,
            created_at: row.get(13)?,
            updated_at: row.get(14)?,
        })
    }

    pub(crate) fn seen(self) -> Seen {
        Seen { id: self.id, definition: self.definition }
    }
}

pub(crate) struct Message {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) job_id: Uuid,
    pub(crate) role: String,
    pub(crate) content: serde_json::Value,
    pub(crate) source: Option<String>,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

impl Message {
    pub(crate) fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            user_id: row.get(1)?,
            job_id: row.get(2)?,
            role: row.get(3)?,
            content: row.get(4)?,
            source: row.get(5)?,
            created_at: row.get(6)?,
            updated_at: row.get(7)?,
        })
    }
}

#[derive(Clone)]
pub(crate) struct User {
    pub(crate) id: Uuid,
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) email_verified_at: Option<Time>,
    pub(crate) image: Option<String>,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

impl User {
    pub(crate) fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            email: row.get(2)?,
            email_verified_at: row.get(3)?,
            image: row.get(4)?,
            created_at: row.get(5)?,
            updated_at: row.get(6)?,
        })
    }
}

pub(crate) struct JobWith {
    pub(crate) job: Job,
    pub(crate) messages: Vec<Message>,
    pub(crate) owner: User,
}

/// Gives each job its messages, which are in the order of the jobs, and the owner.
pub(crate) fn attach(jobs: Vec<Job>, messages: Vec<Vec<Message>>, owner: &User) -> Vec<JobWith> {
    jobs.into_iter()
        .zip(messages)
        .map(|(job, messages)| JobWith { job, messages, owner: owner.clone() })
        .collect()
}
