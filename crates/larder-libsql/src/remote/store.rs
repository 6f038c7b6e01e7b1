//! The handle.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use larder_core::{
    Begin, Capability, Error, ErrorKind, Freshness, Health, Outcome, Result, SCHEMA_LOCK_WAIT, Sql,
    SqlOutcome, Store, Transaction, Unit, Verb,
};
use tokio::time::{Instant, timeout};

use super::{
    config::RemoteConfig,
    pipeline::Server,
    reads::Reads,
    transaction::{Opening, RemoteTransaction},
    writes::{Write, Writes, Written},
};
use crate::call::{Work, closed};

/// [`Store`] on a libSQL server: sqld, or Turso.
///
/// # Behaviour
/// - A verb or a unit is one request and atomic; nothing stays open on the server. Reads that arrive while others are under
///   way share a request; writes go one request at a time, everything that waits in one transaction, such that one that fails
///   fails alone. When a write is refused, finding out what to say of it may take more requests.
/// - What was not sent, or does nothing when it was executed before (reads, and inserts, which carry their id), is tried again
///   for as long as the configuration's `retry` says. Other writes whose answer was lost are `Ambiguous`; leases that were
///   claimed so end by themselves.
/// - A transaction ([`Store::begin`]) is a request for each call and holds the only lane of writes of this handle: other
///   writes wait. It may be open for 4 s; then it is `TransactionAborted`, because after 5 s the server gives its lock to
///   others. A unit is better.
/// - While the server answers reads and takes no writes, writes are `Stalled`, and [`Store::health`] says since when.
/// - SQL ([`Store::sql`]) takes three requests or more. It cannot begin or end transactions.
#[derive(Clone)]
pub struct RemoteStore {
    server: Arc<Server>,
    reads: Reads,
    writes: Writes,
    closed: Arc<AtomicBool>,
}

impl RemoteStore {
    /// A store for this server, which is not asked anything.
    ///
    /// # Errors
    /// `Config` when the configuration cannot be used.
    pub fn new(config: RemoteConfig) -> Result<Self> {
        let server = Arc::new(Server::new(config)?);
        let (reads, writes) = (Reads::new(&server), Writes::new(&server));
        Ok(Self { server, reads, writes, closed: Arc::default() })
    }

    /// As [`RemoteStore::new`], and asks the server whether it is there.
    ///
    /// # Errors
    /// - `Config` when the configuration cannot be used, or what answers is no libSQL server or has no such database.
    /// - `Denied` when the token is missing or refused.
    /// - `Unavailable`, `Timeout` when there is no answer.
    pub async fn connect(config: RemoteConfig) -> Result<Self> {
        let store = Self::new(config)?;
        store.health().await?;
        Ok(store)
    }

    /// The configuration that it was made with.
    pub fn config(&self) -> &RemoteConfig {
        &self.server.config
    }

    /// Adds what is known of the server without asking it.
    pub(crate) fn report(&self, health: Health) -> Health {
        health
            .with_lanes([self.reads.report(), self.writes.report()])
            .with_writes_stalled(self.server.stall.suspected_for())
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.server.config.timeout
    }

    fn open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        Ok(())
    }

    async fn outcomes(&self, unit: Unit) -> Result<Vec<Outcome>> {
        self.open()?;
        for step in &unit.steps {
            larder_sql::check(&step.verb)?;
        }
        if unit.is_read() {
            return self.reads.run(unit, self.deadline()).await;
        }
        match self.writes.run(Write::Unit(unit), self.deadline()).await? {
            Written::Outcomes(outcomes) => Ok(outcomes),
            Written::Sql(_) | Written::Opened(_) => Err(another_answer()),
        }
    }
}

fn another_answer() -> Error {
    Error::new(ErrorKind::Database, "the lane answered something else")
}

impl fmt::Debug for RemoteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteStore").field("config", &self.server.config).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for RemoteStore {
    fn supports(&self, capability: Capability) -> bool {
        matches!(capability, Capability::Sql | Capability::Durable | Capability::ReadsDuringTransaction)
    }

    async fn execute(&self, verb: Verb) -> Result<Outcome> {
        let outcomes = self.outcomes(Unit::default().then(verb)).await?;
        outcomes.into_iter().next().ok_or_else(another_answer)
    }

    async fn run(&self, unit: Unit) -> Result<Vec<Outcome>> {
        if unit.steps.is_empty() {
            return self.open().map(|()| Vec::new());
        }
        self.outcomes(unit).await
    }

    async fn begin(&self, kind: Begin) -> Result<Box<dyn Transaction>> {
        self.open()?;
        let timeout = self.server.config.timeout;
        let wait = match kind {
            Begin::Serializable => timeout,
            Begin::Schema => timeout.max(SCHEMA_LOCK_WAIT),
        };
        let opening = Write::Begin(Opening { kind, timeout });
        match self.writes.run(opening, Instant::now() + wait).await? {
            Written::Opened(opened) => Ok(Box::new(RemoteTransaction::new(opened))),
            Written::Outcomes(_) | Written::Sql(_) => Err(another_answer()),
        }
    }

    async fn sql(&self, sql: Sql) -> Result<SqlOutcome> {
        self.open()?;
        match self.writes.run(Write::Sql(sql), self.deadline()).await? {
            Written::Sql(outcome) => Ok(outcome),
            Written::Outcomes(_) | Written::Opened(_) => Err(another_answer()),
        }
    }

    fn reading(&self, _: Freshness) -> Option<Arc<dyn Store>> {
        None
    }

    async fn health(&self) -> Result<Health> {
        self.open()?;
        let begun = Instant::now();
        let version = self.server.version(self.deadline()).await?;
        Ok(self.report(Health::new(version, begun.elapsed())))
    }

    async fn close(&self) -> Result<()> {
        self.closed.store(true, Ordering::Release);
        let finish = async { tokio::join!(self.reads.finish(), self.writes.finish()) };
        let wait = self.server.config.timeout;
        timeout(wait, finish)
            .await
            .map(|_| ())
            .map_err(|_| Error::new(ErrorKind::Timeout, "what was accepted is not finished"))
    }
}
