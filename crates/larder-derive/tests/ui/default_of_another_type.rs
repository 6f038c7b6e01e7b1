extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Job {
    pub id: JobId,
    #[entity(default = "[]")]
    pub tags: larder::__private::serde_json::Value,
    #[entity(default_json = "{}")]
    pub name: String,
    #[entity(range(1..=5), default = 9)]
    pub size: i64,
}

fn main() {}
