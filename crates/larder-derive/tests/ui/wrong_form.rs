extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Job {
    pub id: JobId,
    #[entity(sort = true)]
    pub a: String,
    #[entity(length = 5)]
    pub b: String,
    #[entity(length(9, 5))]
    pub c: String,
    #[entity(range(5))]
    pub d: i64,
    #[entity(range(..))]
    pub e: i64,
    #[entity(default)]
    pub f: i64,
    #[entity(default = vec![1])]
    pub g: i64,
    #[entity(default_json = "{")]
    pub h: String,
    #[entity(column = "Name")]
    pub i: String,
}

fn main() {}
