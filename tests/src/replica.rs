//! libSQL on a server, read from a replica.

use std::sync::Arc;

use async_trait::async_trait;
use larder::Store;
use larder_conformance::{Backend, Database, Failure, Limits, Schema};
use larder_testing::{Sqld, SqldDatabase};
use tempfile::TempDir;

use crate::{milliseconds, open};

/// Databases on one server, each with a replica that all its handles read from.
#[derive(Debug, Clone, Copy, Default)]
pub struct LibsqlReplica;

#[async_trait]
impl Backend for LibsqlReplica {
    fn name(&self) -> &str {
        "libsql_replica"
    }

    /// As on the server itself.
    fn random_batches(&self) -> usize {
        1_000
    }

    async fn create(&self, schema: &Schema) -> Result<Box<dyn Database>, Failure> {
        let database = Sqld::shared().await?.database().await?;
        let directory = tempfile::tempdir()?;
        let url = format!("{}?replica={}", database.url(), directory.path().join("edge.db").display());
        let store = open(&url).await?;
        schema.apply(&store).await?;
        Ok(Box::new(WithReplica { store, url, _database: database, _directory: directory }))
    }
}

struct WithReplica {
    store: Arc<dyn Store>,
    url: String,
    /// Dropped with it.
    _database: SqldDatabase,
    _directory: TempDir,
}

#[async_trait]
impl Database for WithReplica {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    async fn reopen(&self) -> Result<Arc<dyn Store>, Failure> {
        open(&self.url).await
    }

    async fn reopen_within(&self, limits: Limits) -> Result<Arc<dyn Store>, Failure> {
        open(&format!("{}&timeout={}", self.url, milliseconds(limits.wait))).await
    }
}
