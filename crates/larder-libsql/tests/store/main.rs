//! The store on libSQL, by itself.

mod common;
mod configuration;
mod verbs;
