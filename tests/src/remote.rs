//! libSQL on a server, from wherever `larder_testing` finds it.

use std::sync::Arc;

use async_trait::async_trait;
use larder::Store;
use larder_conformance::{Backend, Database, Failure, Limits, Schema};
use larder_testing::{Sqld, SqldDatabase};

use crate::{milliseconds, open};

/// Databases on one server.
#[derive(Debug, Clone, Copy, Default)]
pub struct LibsqlRemote;

#[async_trait]
impl Backend for LibsqlRemote {
    fn name(&self) -> &str {
        "libsql_remote"
    }

    /// A call that the server refuses takes several requests to be explained, and most of a random batch are refused.
    fn random_batches(&self) -> usize {
        1_000
    }

    async fn create(&self, schema: &Schema) -> Result<Box<dyn Database>, Failure> {
        let database = Sqld::shared().await?.database().await?;
        let url = database.url().to_owned();
        let store = open(&url).await?;
        schema.apply(&store).await?;
        Ok(Box::new(OnServer { store, url, _database: database }))
    }
}

struct OnServer {
    store: Arc<dyn Store>,
    url: String,
    /// Dropped with it.
    _database: SqldDatabase,
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
        open(&format!("{}?timeout={}", self.url, milliseconds(limits.wait))).await
    }
}
