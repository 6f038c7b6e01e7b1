//! Migrating real databases: each test is written once and runs on a libSQL file and on PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of tests are tests too"
)]

mod concurrency;
mod databases;
mod ledger;
mod processes;
mod refusals;
mod steps;
