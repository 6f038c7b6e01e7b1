//! The reference store: a database in the memory of the process, complete, simple and without SQL.

mod aggregate;
mod assign;
mod key;
mod query;
mod rows;
mod schema;
mod state;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use self::{
    schema::Schema,
    state::{State, Work},
};
use crate::{
    Begin, Capability, Error, ErrorKind, Freshness, Health, Outcome, Result, Sql, SqlOutcome, Store, Table,
    Transaction, Unit, Verb,
};

/// How long a write waits for those before it, unless [`MemoryStore::with_timeout`] says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// The reference implementation of [`Store`], which the databases are compared with, and a database for unit tests.
///
/// Its schema is given by the tables; there is nothing to migrate. A clone is another handle on the same database, which
/// is gone with the last handle.
///
/// # Behaviour
/// - Writes happen one after the other, in the order in which they were called. An open transaction holds back all other
///   writes and transactions until it ends; a call that waited for the [timeout](MemoryStore::with_timeout) answers
///   `Busy`. Reads wait for nobody: they see what was committed last, and nothing of an open transaction.
/// - A verb that breaks several rules reports `Invalid` first, then `Conflict` (of the first row that has one), then
///   `MissingParent`.
/// - An update that changes a key to which rows still refer answers `MissingParent`, with the entity of those rows, as
///   PostgreSQL's ON UPDATE NO ACTION has it. A row may take its own reference along, or another the key's value over, in
///   the same verb.
/// - [`Assign::Add`](crate::Assign::Add) and [`Assign::Advance`](crate::Assign::Advance) on NULL answer `Invalid`.
/// - A verb with an owner on a table that has none touches no row.
/// - A table that was not given, or a column position that the table does not have, answers `Schema`; a key that is no key
///   of the table, `Unsupported`.
/// - It has [`Capability::ReadsDuringTransaction`] alone.
/// - [`Store::close`] waits for nobody: what is waiting for its turn, and every open transaction, answers `Closed` and has
///   written nothing.
///
/// # Panics
/// A call that has to wait needs a tokio runtime with its timer, as [`tokio::time::timeout`] does.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    timeout: Duration,
}

/// What all handles on a database share.
struct Shared {
    /// What was committed last; `None` once the store is closed. Locked only while nobody awaits.
    committed: Mutex<Option<State>>,
    /// The right to write: one permit, handed on in the order of asking.
    turn: Arc<Semaphore>,
}

impl Shared {
    fn committed(&self) -> MutexGuard<'_, Option<State>> {
        self.committed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshot(&self) -> Result<State> {
        self.committed().clone().ok_or_else(closed)
    }
}

impl MemoryStore {
    /// An empty database with these tables.
    ///
    /// # Errors
    /// `Config` when a foreign key's parent is not among the tables, or what it refers to is no key of the parent; when a
    /// table is given twice; when a primary key has no columns or may be NULL.
    pub fn new(tables: impl IntoIterator<Item = &'static Table>) -> Result<Self> {
        let committed = Mutex::new(Some(State::new(Schema::new(tables)?)));
        let shared = Shared { committed, turn: Arc::new(Semaphore::new(1)) };
        Ok(Self { shared: Arc::new(shared), timeout: DEFAULT_TIMEOUT })
    }

    /// A handle whose writes and transactions wait this long for those before them, instead of 30 s.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Waits for the right to write.
    async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        // When nobody is before us there is nothing to wait for, and no timer is needed.
        match self.shared.turn.clone().try_acquire_owned() {
            Ok(turn) => return Ok(turn),
            Err(TryAcquireError::Closed) => return Err(closed()),
            Err(TryAcquireError::NoPermits) => {}
        }
        match tokio::time::timeout(self.timeout, self.shared.turn.clone().acquire_owned()).await {
            Ok(turn) => turn.map_err(|_| closed()),
            Err(_) => {
                let context = format!("other writes and transactions took longer than {:?}", self.timeout);
                Err(Error::new(ErrorKind::Busy, context))
            }
        }
    }

    fn read<T>(&self, work: impl FnOnce(&mut Work<'_>) -> Result<T>) -> Result<T> {
        self.shared.snapshot()?.atomically(work)
    }

    async fn write<T>(&self, work: impl FnOnce(&mut Work<'_>) -> Result<T> + Send) -> Result<T> {
        let _turn = self.turn().await?;
        // In place: a table is copied only when a read or a transaction still holds a clone of it.
        self.shared.committed().as_mut().ok_or_else(closed)?.atomically(work)
    }
}

/// Shows the kind of store alone: rows may hold secrets.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn supports(&self, capability: Capability) -> bool {
        match capability {
            Capability::ReadsDuringTransaction | Capability::LargeValues => true,
            Capability::Sql | Capability::Durable | Capability::ConcurrentTransactions => false,
        }
    }

    async fn execute(&self, verb: Verb) -> Result<Outcome> {
        if verb.is_read() {
            return self.read(|work| work.execute(verb));
        }
        self.write(|work| work.execute(verb)).await
    }

    async fn run(&self, unit: Unit) -> Result<Vec<Outcome>> {
        let reads_only = unit.steps.iter().all(|step| step.verb.is_read());
        let steps = |work: &mut Work<'_>| unit.steps.into_iter().map(|step| work.step(step)).collect();
        if reads_only { self.read(steps) } else { self.write(steps).await }
    }

    async fn begin(&self, _begin: Begin) -> Result<Box<dyn Transaction>> {
        let turn = self.turn().await?;
        let state = self.shared.snapshot()?;
        let transaction =
            MemoryTransaction { shared: self.shared.clone(), state, aborted: false, _turn: turn };
        Ok(Box::new(transaction))
    }

    async fn sql(&self, _sql: Sql) -> Result<SqlOutcome> {
        self.shared.snapshot().and_then(|_| Err(no_sql()))
    }

    fn reading(&self, _: Freshness) -> Option<Arc<dyn Store>> {
        None
    }

    async fn health(&self) -> Result<Health> {
        self.shared.snapshot().map(|_| Health::new("MemoryStore", Duration::ZERO))
    }

    async fn close(&self) -> Result<()> {
        *self.shared.committed() = None;
        self.shared.turn.close();
        Ok(())
    }
}

/// An open transaction: a copy of the database that becomes the database when it is committed.
struct MemoryTransaction {
    shared: Arc<Shared>,
    state: State,
    aborted: bool,
    /// Nobody else writes until it is dropped.
    _turn: OwnedSemaphorePermit,
}

impl MemoryTransaction {
    fn check_usable(&self) -> Result<()> {
        if self.shared.committed().is_none() {
            return Err(closed());
        }
        if self.aborted {
            return Err(Error::new(ErrorKind::TransactionAborted, ""));
        }
        Ok(())
    }

    /// Any error but `Conflict` is the end of the transaction.
    fn noted<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            self.aborted |= !matches!(error.kind(), ErrorKind::Conflict { .. });
        }
        result
    }
}

impl fmt::Debug for MemoryTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransaction").field("aborted", &self.aborted).finish_non_exhaustive()
    }
}

#[async_trait]
impl Transaction for MemoryTransaction {
    async fn execute(&mut self, verb: Verb) -> Result<Outcome> {
        self.check_usable()?;
        let result = self.state.atomically(|work| work.execute(verb));
        self.noted(result)
    }

    async fn sql(&mut self, _sql: Sql) -> Result<SqlOutcome> {
        self.check_usable()?;
        self.noted(Err(no_sql()))
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.check_usable()?;
        let this = *self;
        let mut committed = this.shared.committed();
        *committed.as_mut().ok_or_else(closed)? = this.state;
        Ok(())
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the store was closed")
}

fn no_sql() -> Error {
    Error::unsupported("MemoryStore has no SQL")
}
