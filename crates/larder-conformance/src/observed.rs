//! A store that says what it is asked, and fails where a case wants it to.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use larder::{Begin, Capability, Health, Outcome, Result, Sql, SqlOutcome, Store, Transaction, Unit, Verb};

/// Another store, and what is done before each verb that is executed by itself; an error keeps the verb from being executed.
pub(crate) struct Observed<F> {
    store: Arc<dyn Store>,
    before: F,
}

impl<F: Fn(&Verb) -> Result<()>> Observed<F> {
    pub(crate) fn new(store: Arc<dyn Store>, before: F) -> Self {
        Self { store, before }
    }
}

impl<F> fmt::Debug for Observed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("store", &self.store).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F: Fn(&Verb) -> Result<()> + Send + Sync + 'static> Store for Observed<F> {
    fn supports(&self, capability: Capability) -> bool {
        self.store.supports(capability)
    }

    async fn execute(&self, verb: Verb) -> Result<Outcome> {
        (self.before)(&verb)?;
        self.store.execute(verb).await
    }

    async fn run(&self, unit: Unit) -> Result<Vec<Outcome>> {
        self.store.run(unit).await
    }

    async fn begin(&self, begin: Begin) -> Result<Box<dyn Transaction>> {
        self.store.begin(begin).await
    }

    async fn sql(&self, sql: Sql) -> Result<SqlOutcome> {
        self.store.sql(sql).await
    }

    async fn health(&self) -> Result<Health> {
        self.store.health().await
    }

    async fn close(&self) -> Result<()> {
        self.store.close().await
    }
}
