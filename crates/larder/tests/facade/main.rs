//! The facade from a caller's side, above all with what is wrong. A test that concerns both databases is written once and
//! runs on a libSQL file and on PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of tests are tests too"
)]

mod connection;
mod databases;
mod input;
mod opening;
mod own_entities;
mod schema;
mod secrets;
mod values;
