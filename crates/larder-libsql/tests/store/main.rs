//! The store on libSQL, by itself.
#![allow(clippy::expect_used, clippy::panic)] // clippy.toml allows them in tests, but does not know helpers for tests

mod common;
mod concurrency;
mod configuration;
mod errors;
mod in_place;
mod sql;
mod transactions;
mod verbs;
