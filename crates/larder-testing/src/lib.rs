//! Real databases for tests: finds or starts PostgreSQL, and gives every test a fresh database in milliseconds.
//!
//! ```no_run
//! # async fn test() -> Result<(), larder_testing::TestingError> {
//! let server = larder_testing::Postgres::shared().await?;
//! let database = server.database().await?;
//! println!("{} on {}", database.url(), server.origin());
//! # Ok(())
//! # }
//! ```
//!
//! A server is taken from, in this order: the URL in [`POSTGRES_URL`]; binaries on this machine; Docker, with the
//! feature `docker`. One that was started ends with the process that started it, also after a panic or SIGKILL.
//!
//! For tests of what happens when things fail there are the signals ([`Postgres::freeze`], [`Postgres::kill`], …), a
//! [`Proxy`] that cuts connections, and [`poll_until`], which waits for a condition in place of a sleep.

mod background;
mod error;
mod place;
mod poll;
mod postgres;
mod proxy;
mod sqld;
mod supervisor;

pub use error::TestingError;
pub use poll::poll_until;
pub use postgres::{POSTGRES_URL, Postgres, PostgresBuilder, PostgresDatabase, Template};
pub use proxy::Proxy;
pub use sqld::{SQLD, Sqld, SqldBuilder, SqldDatabase};
