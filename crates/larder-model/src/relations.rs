//! Everything that belongs to a job, as one relation.

use larder_core::Relation;
use serde::Serialize;

use crate::{ContextEntry, Endpoint, Job, Message, Task, User};

/// What is loaded with a job by [`JobRelations::all`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobRelations {
    /// Its messages, in the order in which they were added.
    pub messages: Vec<Message>,
    /// Its endpoints, in the order in which they were added.
    pub endpoints: Vec<Endpoint>,
    /// What it remembers, in the order in which the keys were first put.
    pub context: Vec<ContextEntry>,
    /// Its tasks, in the order in which they were added.
    pub tasks: Vec<Task>,
    /// Its owner.
    pub owner: Option<User>,
}

impl JobRelations {
    /// Everything: for [`Repo::get_with`](larder_core::Repo::get_with) and [`Repo::list_with`](larder_core::Repo::list_with)
    /// of [`Jobs`](crate::Jobs). What is wanted alone is asked for alone: `Message::JOB_ID.children()`.
    pub fn all() -> impl Relation<Job, Loaded = Self> {
        let all = (
            Message::JOB_ID.children(),
            Endpoint::JOB_ID.children(),
            ContextEntry::JOB_ID.children(),
            Task::JOB_ID.children(),
            Job::USER_ID.parent(),
        );
        all.map(|(messages, endpoints, context, tasks, owner)| Self {
            messages,
            endpoints,
            context,
            tasks,
            owner,
        })
    }
}
