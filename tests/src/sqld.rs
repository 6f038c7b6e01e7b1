//! libSQL on a server, from wherever `larder_testing` finds it: spoken to, and read from a replica.

use std::sync::Arc;

use async_trait::async_trait;
use larder::Store;
use larder_conformance::{Backend, Database, Failure, Limits, Schema};
use larder_testing::{Sqld, SqldDatabase};
use tempfile::TempDir;

use crate::{milliseconds, open};

/// A call that the server refuses takes several requests to be explained, and most of a random batch are refused.
const RANDOM_BATCHES: usize = 1_000;

/// Databases on one server.
#[derive(Debug, Clone, Copy, Default)]
pub struct LibsqlRemote;

#[async_trait]
impl Backend for LibsqlRemote {
    fn name(&self) -> &str {
        "libsql_remote"
    }

    fn random_batches(&self) -> usize {
        RANDOM_BATCHES
    }

    async fn create(&self, schema: &Schema) -> Result<Box<dyn Database>, Failure> {
        let database = Sqld::shared().await?.database().await?;
        OnServer::create(database.url().to_owned(), database, None, schema).await
    }
}

/// Databases on one server, each with a replica that all its handles read from.
#[derive(Debug, Clone, Copy, Default)]
pub struct LibsqlReplica;

#[async_trait]
impl Backend for LibsqlReplica {
    fn name(&self) -> &str {
        "libsql_replica"
    }

    fn random_batches(&self) -> usize {
        RANDOM_BATCHES
    }

    async fn create(&self, schema: &Schema) -> Result<Box<dyn Database>, Failure> {
        let database = Sqld::shared().await?.database().await?;
        let directory = TempDir::with_prefix("larder-test-")?;
        let url = format!("{}?replica={}", database.url(), directory.path().join("edge.db").display());
        OnServer::create(url, database, Some(directory), schema).await
    }
}

struct OnServer {
    store: Arc<dyn Store>,
    url: String,
    /// Dropped with it.
    _database: SqldDatabase,
    _directory: Option<TempDir>,
}

impl OnServer {
    async fn create(
        url: String,
        database: SqldDatabase,
        directory: Option<TempDir>,
        schema: &Schema,
    ) -> Result<Box<dyn Database>, Failure> {
        let store = open(&url).await?;
        schema.apply(&store).await?;
        Ok(Box::new(Self { store, url, _database: database, _directory: directory }))
    }
}

#[async_trait]
impl Database for OnServer {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    async fn reopen(&self) -> Result<Arc<dyn Store>, Failure> {
        open(&self.url).await
    }

    async fn reopen_within(&self, limits: Limits) -> Result<Arc<dyn Store>, Failure> {
        let next = if self.url.contains('?') { '&' } else { '?' };
        open(&format!("{}{next}timeout={}", self.url, milliseconds(limits.wait))).await
    }
}
