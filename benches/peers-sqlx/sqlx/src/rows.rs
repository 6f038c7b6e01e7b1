//! Rows as structs, every column decoded. The same for both databases but for the type of times.

// Fields that are only decoded are what a program would have decoded too.
#![allow(dead_code)]

use std::collections::HashMap;

use sqlx::{FromRow, Type, types::Json};
use uuid::Uuid;

use crate::Time;

macro_rules! job_columns {
    () => {
        "id, user_id, definition, status, next_run_at, locked_until, lock_owner, lock_token, input_tokens, \
         output_tokens, reasoning_tokens, cached_input_tokens, total_tokens, created_at, updated_at"
    };
}

macro_rules! message_columns {
    () => {
        "id, user_id, job_id, role, content, source, created_at, updated_at"
    };
}

pub(crate) use {job_columns, message_columns};

#[derive(FromRow)]
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

#[derive(Type)]
#[sqlx(type_name = "job_status", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Active,
    Paused,
    Archived,
}

#[derive(FromRow)]
pub(crate) struct Message {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) job_id: Uuid,
    pub(crate) role: Role,
    pub(crate) content: Json<serde_json::Value>,
    pub(crate) source: Option<Source>,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

#[derive(Type)]
#[sqlx(type_name = "message_role", rename_all = "lowercase")]
pub(crate) enum Role {
    System,
    User,
    Assistant,
    Tool,
}

#[derive(Type)]
#[sqlx(type_name = "message_source", rename_all = "kebab-case")]
pub(crate) enum Source {
    EndpointResponse,
    Scheduler,
    ErrorHandler,
    Unknown,
}

#[derive(Clone, FromRow)]
pub(crate) struct User {
    pub(crate) id: Uuid,
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) email_verified_at: Option<Time>,
    pub(crate) image: Option<String>,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
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
