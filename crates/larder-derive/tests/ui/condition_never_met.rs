extern crate larder_core as larder;

use larder_derive::{Entity, EnumText};

#[derive(Debug, Clone, PartialEq, EnumText)]
pub enum Status {
    Active,
}

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(index = [tries] where status = "ACTIVE")]
#[entity(index = [status] where tries = true)]
pub struct Job {
    pub id: JobId,
    pub status: Status,
    pub tries: i64,
}

fn main() {}
