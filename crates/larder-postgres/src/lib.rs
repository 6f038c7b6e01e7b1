//! larder's [`Store`](larder_core::Store) on PostgreSQL, by way of sqlx.
//!
//! [`PostgresConfig`] says where the database is, [`PostgresStore`] is the store. From the ground up: a session is a
//! connection that executes statements; the pool owns them and lends each to one task at a time; a call is a task that
//! carries out one verb, unit or piece of SQL on a session; a transaction is a task that does so until it ends; in the lanes
//! verbs of concurrent callers share statements. Callers only await the answers of these tasks, so that one who goes away
//! leaves no connection half used.

mod call;
mod config;
mod error;
mod lanes;
mod pool;
mod session;
mod store;
mod transaction;
mod unit;
mod value;
mod verb;

pub use config::{LaneUse, PostgresConfig, SslMode};
pub use error::ServerError;
pub use store::PostgresStore;
