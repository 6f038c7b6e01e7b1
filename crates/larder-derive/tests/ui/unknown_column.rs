extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(unique = [id, status])]
#[entity(index = [state] where active = true)]
pub struct Job {
    pub id: JobId,
    pub state: String,
}

fn main() {}
