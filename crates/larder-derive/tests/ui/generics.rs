extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Job<T> {
    pub id: larder::Id<Job<T>>,
    pub value: T,
}

fn main() {}
