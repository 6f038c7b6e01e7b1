extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Key {
    pub id: KeyId,
    #[entity(issued)]
    pub hash: Option<String>,
    #[entity(issued, default = "")]
    pub salt: String,
    #[entity(issued, create_only)]
    pub text: String,
}

fn main() {}
