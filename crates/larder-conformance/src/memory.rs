//! The reference store as a backend.

use std::sync::Arc;

use async_trait::async_trait;
use larder::{MemoryStore, Store};

use crate::{Backend, Database, Failure, Limits, Schema};

/// [`MemoryStore`]: what the others are compared with.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemoryBackend;

#[async_trait]
impl Backend for MemoryBackend {
    fn name(&self) -> &str {
        "memory"
    }

    async fn create(&self, schema: &Schema) -> Result<Box<dyn Database>, Failure> {
        Ok(Box::new(MemoryDatabase(MemoryStore::new(schema.tables.iter().copied())?)))
    }
}

struct MemoryDatabase(MemoryStore);

#[async_trait]
impl Database for MemoryDatabase {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.0.clone())
    }

    async fn reopen(&self) -> Result<Arc<dyn Store>, Failure> {
        Ok(self.store())
    }

    async fn reopen_within(&self, limits: Limits) -> Result<Arc<dyn Store>, Failure> {
        Ok(Arc::new(self.0.clone().with_timeout(limits.wait)))
    }
}
