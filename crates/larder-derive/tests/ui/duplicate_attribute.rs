extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Job {
    pub id: JobId,
    #[entity(default = 1, default = 2)]
    pub tries: i64,
    #[entity(default = 1, default_json = "{}")]
    pub more: i64,
}

fn main() {}
