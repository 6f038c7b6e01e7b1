//! libSQL, in a file and in memory.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use larder::Store;
use larder_conformance::{Backend, Database, Failure, Limits, Schema};
use tempfile::TempDir;

use crate::{milliseconds, open};

/// libSQL files, each in a directory of its own that goes with it.
#[derive(Debug, Clone, Copy, Default)]
pub struct LibsqlFile;

#[async_trait]
impl Backend for LibsqlFile {
    fn name(&self) -> &str {
        "libsql_file"
    }

    async fn create(&self, schema: &Schema) -> Result<Box<dyn Database>, Failure> {
        let directory = TempDir::with_prefix("larder-test-")?;
        let url = format!("file:{}", directory.path().join("test.db").display());
        LibsqlDatabase::create(url, Some(directory), schema).await
    }
}

/// libSQL databases in memory, each with a name that no other in the process has.
#[derive(Debug, Clone, Copy, Default)]
pub struct LibsqlMemory;

#[async_trait]
impl Backend for LibsqlMemory {
    fn name(&self) -> &str {
        "libsql_memory"
    }

    async fn create(&self, schema: &Schema) -> Result<Box<dyn Database>, Failure> {
        static CREATED: AtomicU64 = AtomicU64::new(0);
        let number = CREATED.fetch_add(1, Ordering::Relaxed);
        LibsqlDatabase::create(format!("memory:test_{number}"), None, schema).await
    }
}

struct LibsqlDatabase {
    store: Arc<dyn Store>,
    url: String,
    /// Removed when the database is dropped.
    _directory: Option<TempDir>,
}

impl LibsqlDatabase {
    async fn create(
        url: String,
        directory: Option<TempDir>,
        schema: &Schema,
    ) -> Result<Box<dyn Database>, Failure> {
        let store = open(&url).await?;
        schema.apply(&store).await?;
        Ok(Box::new(Self { store, url, _directory: directory }))
    }
}

#[async_trait]
impl Database for LibsqlDatabase {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    async fn reopen(&self) -> Result<Arc<dyn Store>, Failure> {
        open(&self.url).await
    }

    async fn reopen_within(&self, limits: Limits) -> Result<Arc<dyn Store>, Failure> {
        let wait = milliseconds(limits.wait);
        open(&format!("{}?timeout={wait}&busy_timeout={wait}", self.url)).await
    }
}
