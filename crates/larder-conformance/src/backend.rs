//! What a backend author implements to have the suite run.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use larder::Store;

use crate::{Failure, Schema};

/// A kind of database that the suite runs on. What it can do is asked of the store itself
/// ([`Store::supports`](larder::Store::supports)).
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The first part of the names of its tests: `libsql_file`.
    fn name(&self) -> &str;

    /// How many random batches a run of the suite sends it, unless the environment variable `LARDER_BATCHES` says otherwise:
    /// ten thousand, or fewer where each is a trip to a server that takes as long as a hundred elsewhere.
    fn random_batches(&self) -> usize {
        10_000
    }

    /// A fresh database with the tables of `schema` and no rows. May be called by several threads at once, each with a
    /// tokio runtime of its own.
    ///
    /// # Errors
    /// When there is none to be had: then every case fails; none is left out.
    async fn create(&self, schema: &Schema) -> Result<Box<dyn Database>, Failure>;
}

/// A database of one case. When it is dropped the database is gone.
#[async_trait]
pub trait Database: Send + Sync {
    /// The handle that it was made with; the same at each call.
    fn store(&self) -> Arc<dyn Store>;

    /// Another handle on the same database, independent of the first, as another process would have it.
    ///
    /// # Errors
    /// When it cannot be opened.
    async fn reopen(&self) -> Result<Arc<dyn Store>, Failure>;

    /// As [`reopen`](Database::reopen), with these limits.
    ///
    /// # Errors
    /// When it cannot be opened.
    async fn reopen_within(&self, limits: Limits) -> Result<Arc<dyn Store>, Failure>;
}

/// The limits of a handle, for cases that reach them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a call waits for its turn (a connection, a lock) before it answers `Busy`.
    pub wait: Duration,
    /// The most transactions that are open at once, where a store can have several.
    pub connections: u32,
}
