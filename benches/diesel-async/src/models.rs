//! Rows as structs.

// Fields that are only decoded are what a program would have decoded too.
#![allow(dead_code)]

use chrono::{DateTime, Utc};
use diesel::{Associations, Identifiable, Insertable, Queryable, Selectable};
use diesel_derive_enum::DbEnum;
use uuid::Uuid;

use crate::schema::{jobs, messages, users};

type Time = DateTime<Utc>;

#[derive(Debug, Clone, Copy, DbEnum)]
#[db_enum(existing_type_path = "crate::schema::sql_types::JobStatus")]
#[db_enum(value_style = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Active,
    Paused,
    Archived,
}

#[derive(Debug, Clone, Copy, DbEnum)]
#[db_enum(existing_type_path = "crate::schema::sql_types::MessageRole")]
pub(crate) enum Role {
    System,
    User,
    Assistant,
    Tool,
}

#[derive(Debug, Clone, Copy, DbEnum)]
#[db_enum(existing_type_path = "crate::schema::sql_types::MessageSource")]
#[db_enum(value_style = "kebab-case")]
pub(crate) enum Source {
    EndpointResponse,
    Scheduler,
    ErrorHandler,
    Unknown,
}

#[derive(Debug, Identifiable, Queryable, Selectable)]
#[diesel(table_name = jobs, check_for_backend(diesel::pg::Pg))]
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

#[derive(Insertable)]
#[diesel(table_name = jobs)]
pub(crate) struct NewJob<'a> {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) definition: &'a str,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
    pub(crate) definition_search: String,
}

impl<'a> NewJob<'a> {
    pub(crate) fn new(user_id: Uuid, definition: &'a str) -> Self {
        let now = Utc::now();
        Self {
            id: Uuid::now_v7(),
            user_id,
            definition,
            created_at: now,
            updated_at: now,
            definition_search: definition.to_lowercase(),
        }
    }
}

#[derive(Debug, Identifiable, Queryable, Selectable, Associations)]
#[diesel(table_name = messages, belongs_to(Job), check_for_backend(diesel::pg::Pg))]
pub(crate) struct Message {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) job_id: Uuid,
    pub(crate) role: Role,
    pub(crate) content: serde_json::Value,
    pub(crate) source: Option<Source>,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

#[derive(Insertable)]
#[diesel(table_name = messages)]
pub(crate) struct NewMessage {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) job_id: Uuid,
    pub(crate) role: Role,
    pub(crate) content: serde_json::Value,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
    pub(crate) content_search: String,
}

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
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
