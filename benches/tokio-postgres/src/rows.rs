//! Rows as structs, every column decoded.

// Fields that are only decoded are what a program would have decoded too.
#![allow(dead_code)]

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use contender::{Authenticated, Failure, Seen};
use tokio_postgres::{Row, types::Json};
use uuid::Uuid;

type Time = DateTime<Utc>;

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
    pub(crate) fn read(row: &Row) -> Result<Self, Failure> {
        Ok(Self {
            id: row.try_get(0)?,
            user_id: row.try_get(1)?,
            definition: row.try_get(2)?,
            status: match row.try_get(3)? {
                "ACTIVE" => Status::Active,
                "PAUSED" => Status::Paused,
                "ARCHIVED" => Status::Archived,
                other => return Err(format!("unknown status {other}").into()),
            },
            next_run_at: row.try_get(4)?,
            locked_until: row.try_get(5)?,
            lock_owner: row.try_get(6)?,
            lock_token: row.try_get(7)?,
            input_tokens: row.try_get(8)?,
            output_tokens: row.try_get(9)?,
            reasoning_tokens: row.try_get(10)?,
            cached_input_tokens: row.try_get(11)?,
            total_tokens: row.try_get(12)?,
            created_at: row.try_get(13)?,
            updated_at: row.try_get(14)?,
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
    pub(crate) fn read(row: &Row) -> Result<Self, Failure> {
        let Json(scopes) = row.try_get(7)?;
        Ok(Self {
            id: row.try_get(0)?,
            user_id: row.try_get(1)?,
            name: row.try_get(2)?,
            description: row.try_get(3)?,
            key: row.try_get(4)?,
            secret_hash: row.try_get(5)?,
            secret_salt: row.try_get(6)?,
            scopes,
            last_used_at: row.try_get(8)?,
            expires_at: row.try_get(9)?,
            revoked_at: row.try_get(10)?,
            created_at: row.try_get(11)?,
            updated_at: row.try_get(12)?,
        })
    }

    pub(crate) fn is_good_at(&self, now: Time) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    pub(crate) fn authenticated(self) -> Authenticated {
        Authenticated { user: self.user_id, key: self.key }
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
    pub(crate) fn read(row: &Row) -> Result<Self, Failure> {
        Ok(Self {
            id: row.try_get(0)?,
            user_id: row.try_get(1)?,
            job_id: row.try_get(2)?,
            role: row.try_get(3)?,
            content: row.try_get(4)?,
            source: row.try_get(5)?,
            created_at: row.try_get(6)?,
            updated_at: row.try_get(7)?,
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
    pub(crate) fn read(row: &Row) -> Result<Self, Failure> {
        Ok(Self {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            email: row.try_get(2)?,
            email_verified_at: row.try_get(3)?,
            image: row.try_get(4)?,
            created_at: row.try_get(5)?,
            updated_at: row.try_get(6)?,
        })
    }
}

pub(crate) struct JobWith {
    pub(crate) job: Job,
    pub(crate) messages: Vec<Message>,
    pub(crate) owner: User,
}

/// Gives each job its messages and the owner.
pub(crate) fn attach(jobs: Vec<Job>, messages: Vec<Message>, owner: &User) -> Vec<JobWith> {
    let mut of_jobs: HashMap<Uuid, Vec<Message>> = HashMap::new();
    for message in messages {
        of_jobs.entry(message.job_id).or_default().push(message);
    }
    jobs.into_iter()
        .map(|job| {
            let messages = of_jobs.remove(&job.id).unwrap_or_default();
            JobWith { job, messages, owner: owner.clone() }
        })
        .collect()
}
