extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Job {
    pub id: JobId,
    #[entity(length(1, 5))]
    pub tries: i64,
    #[entity(range(0..))]
    pub name: String,
    #[entity(url)]
    pub created: bool,
    #[entity(search)]
    pub secret: Vec<u8>,
    #[entity(sort)]
    pub tags: Vec<String>,
    #[entity(range(10..5))]
    pub size: i64,
}

fn main() {}
