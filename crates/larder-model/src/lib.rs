//! larder's application model: users, their scheduled jobs, and the jobs' messages.
//!
//! It has no privileges: it is written with `#[derive(Entity)]`, the verbs of the scopes and two extension traits, as any
//! application's own entities are. [`UserModel`] adds what a user reaches, [`SystemModel`] what the system does.

extern crate larder_core as larder;

mod content;
mod job;
mod message;
mod part;
mod relations;
mod scheduler;
mod user;

use larder_core::{Entity, Migrations, SystemScope, Table, UserScope};

pub use content::MessageContent;
pub use job::{Job, JobId, JobPatch, JobSort, JobStatus, Jobs, ListJobs, NewJob, TokenUsage};
pub use message::{
    ListMessages, Message, MessageId, MessagePatch, MessageRole, MessageSort, MessageSource, Messages,
    NewMessage,
};
pub use part::{Part, PartNames};
pub use relations::JobRelations;
pub use scheduler::{ClaimDue, ClaimedJob, Completion, Lease, Scheduler};
pub use user::{Account, ListUsers, NewUser, User, UserId, UserPatch, UserSort, Users};

/// All tables of the model, parents before children.
pub const TABLES: &[&Table] = &[User::TABLE, Job::TABLE, Message::TABLE];

/// The migrations that make these tables.
pub fn migrations() -> Migrations {
    larder_derive::migrations!(
        "larder",
        postgres = "../../migrations-postgres",
        sqlite = "../../migrations-sqlite"
    )
}

/// What a user reaches: their own account, jobs and messages.
pub trait UserModel {
    /// The user's own account.
    fn account(&self) -> Account;
    /// The user's jobs.
    fn jobs(&self) -> Jobs;
    /// The messages of the user's jobs.
    fn messages(&self) -> Messages;
}

impl UserModel for UserScope {
    fn account(&self) -> Account {
        Account::new(self)
    }

    fn jobs(&self) -> Jobs {
        Jobs::new(self)
    }

    fn messages(&self) -> Messages {
        Messages::new(self)
    }
}

/// What the system does: administer users, run due jobs.
pub trait SystemModel {
    /// All users.
    fn users(&self) -> Users;
    /// The due jobs of all users, for workers.
    fn jobs(&self) -> Scheduler;
}

impl SystemModel for SystemScope {
    fn users(&self) -> Users {
        Users::new(self)
    }

    fn jobs(&self) -> Scheduler {
        Scheduler::new(self)
    }
}
