extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(unique = [name])]
pub struct Job {
    pub id: JobId,
    #[entity(unique)]
    pub name: String,
}

fn main() {}
