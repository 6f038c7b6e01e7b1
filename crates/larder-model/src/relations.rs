//! Everything that belongs to a job, as one relation.

use larder_core::Relation;
use serde::Serialize;

use crate::{Job, Message, User};

/// What is loaded with a job by [`JobRelations::all`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobRelations {
    /// Its messages, in the order in which they were added.
    pub messages: Vec<Message>,
    /// Its owner.
    pub owner: Option<User>,
}

impl JobRelations {
    /// Everything: for [`Repo::get_with`](larder_core::Repo::get_with) and [`Repo::list_with`](larder_core::Repo::list_with)
    /// of [`Jobs`](crate::Jobs). What is wanted alone is asked for alone: `Message::JOB_ID.children()`.
    pub fn all() -> impl Relation<Job, Loaded = Self> {
        (Message::JOB_ID.children(), Job::USER_ID.parent()).map(|(messages, owner)| Self { messages, owner })
    }
}
