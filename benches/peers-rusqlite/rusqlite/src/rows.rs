//! Rows as structs, every column decoded.

// Fields that are only decoded are what a program would have decoded too.
#![allow(dead_code)]

use std::error::Error;

use contender::{Authenticated, Seen};
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
                other => return Err(unreadable(3, format!("unknown status {other}"))),
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

pub(crate) struct ApiKey {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) key: String,
    pub(crate) secret_hash: Vec<u8>,
    pub(crate) secret_salt: Vec<u8>,
    pub(crate) scopes: Vec<String>,
    pub(crate) last_used_at: Option<Time>,
    pub(crate) expires_at: Option<Time>,
    pub(crate) revoked_at: Option<Time>,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

impl ApiKey {
    pub(crate) fn read(row: &Row<'_>) -> Result<Self> {
        let scopes = serde_json::from_str(row.get_ref(7)?.as_str()?);
        Ok(Self {
            id: row.get(0)?,
            user_id: row.get(1)?,
            name: row.get(2)?,
            description: row.get(3)?,
            key: row.get(4)?,
            secret_hash: row.get(5)?,
            secret_salt: row.get(6)?,
            scopes: scopes.map_err(|error| unreadable(7, error))?,
            last_used_at: row.get(8)?,
            expires_at: row.get(9)?,
            revoked_at: row.get(10)?,
            created_at: row.get(11)?,
            updated_at: row.get(12)?,
        })
    }

    pub(crate) fn is_good_at(&self, now: Time) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    pub(crate) fn authenticated(self) -> Authenticated {
        Authenticated { user: self.user_id, key: self.key }
    }
}

fn unreadable(column: usize, why: impl Into<Box<dyn Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, why.into())
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
