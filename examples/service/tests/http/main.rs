//! The service over real HTTP: a listening socket, a client, and each database.

// Clippy takes functions beside the tests for production code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod client;
mod errors;
mod jobs;
mod keys;
mod process;
mod runs;
mod service;
