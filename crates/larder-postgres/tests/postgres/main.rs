//! The store on a real server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests too")]

mod common;
mod config;
mod errors;
mod faults;
mod protocol;
mod schema;
mod tls;
mod transactions;
mod verbs;
