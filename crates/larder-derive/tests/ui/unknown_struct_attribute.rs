extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(tabel = "jobs")]
pub struct Job {
    pub id: JobId,
}

fn main() {}
