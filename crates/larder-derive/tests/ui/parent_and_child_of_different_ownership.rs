extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct User {
    pub id: UserId,
}

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(unique = [user_id, id])]
pub struct Job {
    pub id: JobId,
    #[entity(owner)]
    pub user_id: UserId,
}

/// Forgot the owner.
#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Message {
    pub id: MessageId,
    #[entity(parent)]
    pub job_id: JobId,
}

fn main() {}
