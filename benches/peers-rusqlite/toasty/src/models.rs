//! The models. The same for both databases but for the type of times; messages, whose JSON differs too,
//! are in the crates' roots.

// The derives make public items beside these, and fields that are only decoded are what a program would have decoded too.
#![allow(unreachable_pub, dead_code)]

use uuid::Uuid;

use crate::{Message, Time};

#[derive(Debug, toasty::Model)]
#[table = "users"]
pub struct User {
    #[key]
    pub id: Uuid,
    pub name: Option<String>,
    pub email: Option<String>,
    pub email_verified_at: Option<Time>,
    pub image: Option<String>,
    pub created_at: Time,
    pub updated_at: Time,
}

#[derive(Debug, PartialEq, toasty::Embed)]
#[column(rename_all = "SCREAMING_SNAKE_CASE", type = enum("job_status"))]
pub enum Status {
    Active,
    Paused,
    Archived,
}

#[derive(Debug, toasty::Model)]
#[table = "jobs"]
pub struct Job {
    #[key]
    pub id: Uuid,
    #[index]
    pub user_id: Uuid,
    #[belongs_to(key = user_id, references = id)]
    pub user: toasty::Deferred<User>,
    #[has_many]
    pub messages: toasty::Deferred<Vec<Message>>,
    pub definition: String,
    #[default(Status::Paused)]
    pub status: Status,
    pub next_run_at: Option<Time>,
    pub locked_until: Option<Time>,
    pub lock_owner: Option<String>,
    #[default(0)]
    pub lock_token: i64,
    #[default(0)]
    pub input_tokens: i64,
    #[default(0)]
    pub output_tokens: i64,
    #[default(0)]
    pub reasoning_tokens: i64,
    #[default(0)]
    pub cached_input_tokens: i64,
    #[default(0)]
    pub total_tokens: i64,
    pub created_at: Time,
    pub updated_at: Time,
    pub definition_search: String,
}

#[derive(Debug, PartialEq, toasty::Embed)]
#[column(type = enum("message_role"))]
pub enum Role {
    System,
    User,
    Assistant,
    Tool,
}

#[derive(Debug, PartialEq, toasty::Embed)]
#[column(rename_all = "kebab-case", type = enum("message_source"))]
pub enum Source {
    EndpointResponse,
    Scheduler,
    ErrorHandler,
    Unknown,
}
