extern crate larder_core as larder;

use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(unique(name, state))]
pub struct Parentheses {
    pub id: ParenthesesId,
    pub name: String,
    pub state: String,
}

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(index = name)]
pub struct NoList {
    pub id: NoListId,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(index = [])]
pub struct Empty {
    pub id: EmptyId,
}

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(index = [name] where state)]
pub struct NoConstant {
    pub id: NoConstantId,
    pub name: String,
    pub state: String,
}

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(unique = [name] where state = "ACTIVE")]
pub struct PartlyUnique {
    pub id: PartlyUniqueId,
    pub name: String,
    pub state: String,
}

fn main() {}
