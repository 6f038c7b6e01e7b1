//! larder's [`Store`](larder_core::Store)s on libSQL: [`LibsqlStore`] is a local file, or memory; [`RemoteStore`] a server.
//!
//! ```no_run
//! # async fn open() -> larder_core::Result<()> {
//! use larder_libsql::{LibsqlConfig, LibsqlStore};
//!
//! let config = LibsqlConfig::parse("file:app.db?readers=2&timeout=10s")?;
//! let store = LibsqlStore::open(config).await?;
//! # Ok(())
//! # }
//! ```
//!
//! How the local store works, from the ground up: a `Database` is one connection with its guards; `Verb`s, units and SQL are
//! `Work` that runs on it. A read runs in place, on a connection of the `Pool`, when it takes no longer than to look up a row.
//! All other work becomes, with its caller's ticket, a `Job`, which travels through a `Queue` to the reader threads or to the writer
//! thread; the writer makes one transaction of whatever is queued, and a thread of its own moves the log into the file.
//!
//! The store on a server speaks SQL over HTTP, the Hrana protocol in its third version, with the messages of the crate
//! `libsql-hrana` and hyper's client. The ready clients do not carry it: that of `libsql` leaves a stream open for each query,
//! has no deadlines, and hides the server's error codes; the one condition that `turso_serverless` puts on a step is that what
//! came before succeeded, so that calls of several callers could not share a transaction in which each fails alone.

mod call;
mod checkpoint;
mod config;
mod database;
mod error;
mod execute;
mod explain;
mod open;
mod options;
mod pool;
mod queue;
mod reader;
mod remote;
#[cfg(feature = "replica")]
mod replica;
mod shared;
mod sql;
mod statement;
mod store;
mod transaction;
mod value;
mod words;
mod writer;

pub use config::{LibsqlConfig, Location, Synchronous};
pub use remote::{Endpoint, RemoteConfig, RemoteStore, Token, TokenSource};
#[cfg(feature = "replica")]
pub use replica::{ReplicaConfig, ReplicaStore};
pub use secrecy::SecretString;
pub use store::LibsqlStore;
