//! A replica of a libSQL server's database: a file beside the program, read like any other and written by nobody but the
//! follower.
//!
//! From the ground up: a `Place` is the file and its lock; `Primary` asks the server for its log, which `Log` reads from where
//! the file is; a `Syncer` brings it into the file, and a `Follower` does so again and again. The handles of a process share a
//! `Replica`: the follower, and a `LibsqlStore` that only reads.
//!
//! Of libSQL's own embedded replica only the replicator and the injector of pages are used. Its client hides why a handshake
//! fails, keeps its token for good, loses pages when a sync is cancelled, and its connections are not for reads.

mod config;
mod follower;
mod log;
mod place;
mod primary;
mod shared;
mod store;
mod sync;
mod transaction;
mod wire;

pub use config::ReplicaConfig;
pub use store::ReplicaStore;
