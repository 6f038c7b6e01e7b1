//! The store on a real server.

mod common;
mod config;
mod errors;
mod faults;
mod transactions;
mod verbs;
