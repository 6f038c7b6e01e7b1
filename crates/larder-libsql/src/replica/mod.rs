//! A replica of a libSQL server's database: a file beside the program, read like any other and written by nobody but the
//! follower.
//!
//! From the ground up: a `Place` is the file and its lock; `Primary` asks the server for its log, which `Log` reads from where
//! the file is; a `Syncer` brings it into the file, and a `Follower` does so again and again.

mod follower;
mod log;
mod place;
mod primary;
mod sync;
mod wire;
