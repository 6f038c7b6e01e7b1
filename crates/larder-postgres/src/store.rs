//! The store.

use std::sync::Arc;

use async_trait::async_trait;
use larder_core::{
    Begin, Capability, Freshness, Health, Outcome, Result, Sql, SqlOutcome, Store, Transaction, Unit, Verb,
};
use tokio::time::Instant;

use crate::{
    PostgresConfig,
    call::{Job, call},
    lanes::Lanes,
    pool::Pool,
    transaction,
};

/// A store on a PostgreSQL database. Must be used within the tokio runtime that it was connected in.
#[derive(Debug)]
pub struct PostgresStore {
    pool: Arc<Pool>,
    lanes: Lanes,
}

impl PostgresStore {
    /// Connects. One connection is made at once, so that what is wrong is told here; the others as they are needed.
    ///
    /// # Errors
    /// `Denied` when the user or the password is refused, `Config` when there is no such database or no TLS as asked for,
    /// `Unavailable` when the server cannot be reached, `Busy` when it has no more connections.
    pub async fn connect(config: PostgresConfig) -> Result<Self> {
        let pool = Pool::new(config)?;
        let deadline = Instant::now() + pool.config().connect_timeout;
        let slot = pool.slot(deadline).await?;
        let session = slot.connect(deadline).await?;
        slot.give_back(session).await;
        let lanes = Lanes::new(&pool);
        Ok(Self { pool, lanes })
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn supports(&self, capability: Capability) -> bool {
        matches!(
            capability,
            Capability::Sql
                | Capability::Durable
                | Capability::ReadsDuringTransaction
                | Capability::ConcurrentTransactions
                | Capability::LargeValues
        )
    }

    async fn execute(&self, verb: Verb) -> Result<Outcome> {
        larder_sql::check(&verb)?;
        let verb = match self.lanes.execute(verb).await {
            Ok(answer) => return answer,
            Err(verb) => verb,
        };
        call(&self.pool, Job::Verb(verb)).await?.into_outcome()
    }

    async fn run(&self, unit: Unit) -> Result<Vec<Outcome>> {
        unit.steps.iter().try_for_each(|step| larder_sql::check(&step.verb))?;
        let unit = match self.lanes.run(unit).await {
            Ok(answer) => return answer,
            Err(unit) => unit,
        };
        call(&self.pool, Job::Unit(unit)).await?.into_outcomes()
    }

    async fn begin(&self, begin: Begin) -> Result<Box<dyn Transaction>> {
        transaction::begin(&self.pool, begin).await
    }

    async fn sql(&self, sql: Sql) -> Result<SqlOutcome> {
        call(&self.pool, Job::Sql(sql)).await?.into_sql()
    }

    fn reading(&self, _: Freshness) -> Option<Arc<dyn Store>> {
        None
    }

    async fn health(&self) -> Result<Health> {
        let asked = Instant::now();
        let version = call(&self.pool, Job::Version).await?.into_version()?;
        let health = Health::new(format!("PostgreSQL {version}"), asked.elapsed());
        Ok(health.with_lanes(self.lanes.reports()))
    }

    async fn close(&self) -> Result<()> {
        tokio::join!(self.lanes.finish(), self.pool.close());
        Ok(())
    }
}
