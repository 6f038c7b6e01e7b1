extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
pub enum Job {
    One,
}

fn main() {}
