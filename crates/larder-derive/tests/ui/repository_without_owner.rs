extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct User {
    pub id: UserId,
}

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Job {
    pub id: JobId,
    #[entity(owner)]
    pub user_id: UserId,
}

fn everyones_jobs(scope: &larder::SystemScope) -> larder::Repo<Job> {
    scope.repo::<Job>()
}

fn main() {}
