//! The promises of `MemoryStore`, which the databases are compared with.

// Clippy allows these in tests, but does not see that the helpers beside them are tests as well.
#![allow(clippy::unwrap_used, clippy::panic)]

mod queries;
mod references;
mod schema;
mod tables;
mod transactions;
mod writes;
