extern crate larder_core as larder;

use larder::Relation;
use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Job {
    pub id: JobId,
}

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Task {
    pub id: TaskId,
    #[entity(parent)]
    pub job_id: JobId,
}

fn of_a_task(_: impl Relation<Task>) {}

fn of_a_job(_: impl Relation<Job>) {}

fn main() {
    of_a_task(Task::JOB_ID.children());
    of_a_job(Task::JOB_ID.parent());
}
