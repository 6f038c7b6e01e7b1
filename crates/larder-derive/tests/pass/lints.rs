//! Nothing that is written for an entity is undocumented, or complains when a program does not use it.
#![deny(warnings, missing_docs, missing_debug_implementations)]

extern crate larder_core as larder;

use larder_derive::{Entity, EnumText};

/// A colour.
#[derive(Debug, Clone, Copy, PartialEq, EnumText)]
pub enum Colour {
    /// Like blood.
    Red,
    /// Like grass.
    Green,
}

/// Seen by others.
#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Pen {
    /// Which.
    pub id: PenId,
    /// Of what colour.
    #[entity(default = Colour::Red, filter)]
    pub colour: Colour,
}

/// Seen here alone.
#[derive(Debug, Clone, PartialEq, Entity)]
struct Box {
    id: larder::Id<Self>,
    pen: Option<String>,
}

/// Nothing to give, nothing to change.
#[derive(Debug, Clone, PartialEq, Entity)]
struct Tick {
    #[entity(key)]
    name: String,
}

fn main() {
    let pen = Box { id: larder::Id::from_uuid(larder::__private::uuid::Uuid::nil()), pen: None };
    let tick = Tick { name: String::new() };
    println!("{pen:?} {:?} {tick:?} {}", pen.pen, tick.name);
}
