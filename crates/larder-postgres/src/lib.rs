//! larder's [`Store`](larder_core::Store) on PostgreSQL.
//!
//! [`PostgresConfig`] says where the database is, [`PostgresStore`] is the store. From the ground up: tokio-postgres logs in
//! on a stream that it borrows; a wire sends and takes messages on it; a trip is what is asked at once, with its replies; a
//! session is a connection that makes trips and keeps prepared statements; the pool owns sessions and lends each to one at a
//! time; a call carries out one verb, unit or piece of SQL on a session; a transaction holds one until it ends; in the lanes
//! verbs and units of concurrent callers share statements, commits and round trips. A caller who goes away leaves no
//! connection half used: what was begun is ended by a task.

mod call;
mod config;
mod error;
mod lanes;
mod login;
mod pool;
mod reply;
mod session;
mod store;
mod tls;
mod transaction;
mod trip;
mod unit;
mod value;
mod verb;
mod wire;

pub use config::{LaneUse, PostgresConfig, SslMode};
pub use error::ServerError;
pub use store::PostgresStore;
