extern crate larder_core as larder;

use larder_derive::Entity;

type Name = Option<String>;

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Job {
    pub id: JobId,
    pub name: Name,
}

fn main() {}
