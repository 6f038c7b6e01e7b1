//! The replica, on a real server.
#![allow(clippy::expect_used, clippy::panic)] // clippy.toml allows them in tests, but does not know helpers for tests

mod common;
mod following;
mod opening;
mod outages;
