//! PostgreSQL, from wherever `larder_testing` finds it.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use larder::Store;
use larder_conformance::{Backend, Database, Failure, Limits, Schema};
use larder_testing::{Postgres, PostgresDatabase, Template};
use tokio::sync::Mutex;

use crate::{milliseconds, open};

/// Databases on one server, copied from a template: the tables are made once for each schema.
#[derive(Debug)]
pub struct PostgresBackend {
    name: &'static str,
    /// What its stores are opened with.
    lanes: &'static str,
    templates: Mutex<HashMap<Vec<&'static str>, Arc<Template>>>,
}

impl PostgresBackend {
    /// A backend of this name, whose stores are opened with this value of the option `lanes`.
    pub fn new(name: &'static str, lanes: &'static str) -> Self {
        Self { name, lanes, templates: Mutex::default() }
    }

    async fn template(&self, server: &Postgres, schema: &Schema) -> Result<Arc<Template>, Failure> {
        let tables = schema.tables.iter().map(|table| table.name).collect();
        let mut templates = self.templates.lock().await;
        if let Some(template) = templates.get(&tables) {
            return Ok(Arc::clone(template));
        }
        let made = server.template(|url| async move {
            let store = open(&url).await?;
            schema.apply(&store).await?;
            store.close().await.map_err(Failure::from)
        });
        let template = Arc::new(made.await?);
        templates.insert(tables, Arc::clone(&template));
        Ok(template)
    }
}

#[async_trait]
impl Backend for PostgresBackend {
    fn name(&self) -> &str {
        self.name
    }

    async fn create(&self, schema: &Schema) -> Result<Box<dyn Database>, Failure> {
        let server = Postgres::shared().await?;
        let template = self.template(server, schema).await?;
        let database = server.database_from(&template).await?;
        let url = format!("{}?lanes={}", database.url(), self.lanes);
        Ok(Box::new(OnServer { store: open(&url).await?, url, _database: database }))
    }
}

struct OnServer {
    store: Arc<dyn Store>,
    url: String,
    /// Dropped with it.
    _database: PostgresDatabase,
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
        // A call that has its connection gets a little longer: PostgreSQL's own waits count as the call's time.
        let (wait, all) = (milliseconds(limits.wait), milliseconds(limits.wait * 2));
        let url = &self.url;
        open(&format!("{url}&pool_size={}&acquire_timeout={wait}&timeout={all}", limits.connections)).await
    }
}
