extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Job {
    pub id: JobId,
    #[entity(managed)]
    pub lock_token: i64,
}

fn main() {}
