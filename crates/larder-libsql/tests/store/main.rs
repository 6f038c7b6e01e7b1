//! The store on libSQL, by itself.

mod common;
mod concurrency;
mod configuration;
mod errors;
mod sql;
mod transactions;
mod verbs;
