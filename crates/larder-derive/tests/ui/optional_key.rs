extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Job {
    #[entity(key)]
    pub code: Option<String>,
}

fn main() {}
