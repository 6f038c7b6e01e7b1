//! The suite that every store of larder must pass.
//!
//! A backend author implements [`Backend`], hands it to [`main`] in a test without a harness, and reads which promises
//! hold. The suite knows no backend by name: what differs is a [`Capability`](larder::Capability) that the store itself
//! declares, and what is left out for one is printed and counted. Each case is registered where it is written and has a
//! database of its own.
//!
//! The suite is tested too: [`broken`] has stores that break one promise each, and a case must catch each of them.

// Cases fail by panicking: that is what a test is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[macro_use]
mod case;
mod backend;
pub mod broken;
mod call;
pub mod entities;
mod expect;
mod front_end;
mod groups;
mod history;
mod memory;
pub mod methods;
mod observed;
mod random;
mod runner;
mod samples;
mod schema;
mod together;
mod world;

pub use backend::{Backend, Database, Limits};
pub use case::{Case, CaseFuture, CaseResult, Failure, Group};
pub use front_end::{Report, all_cases, main, names, run};
pub use groups::GROUPS;
pub use memory::MemoryBackend;
pub use runner::{Verdict, run_case};
pub use schema::Schema;
pub use together::{promptly, together};
pub use world::{World, beginning};
