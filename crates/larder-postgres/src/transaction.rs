//! An open transaction: a handle that owns a session until it ends.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use larder_core::{
    Begin, ColumnType, Detached, Error, ErrorKind, Outcome, Result, SCHEMA_LOCK_WAIT, Sql, SqlOutcome,
    Transaction, Value, Verb,
};
use tokio::{
    runtime::Handle as Runtime,
    time::{Instant, sleep, timeout_at},
};

use crate::{
    call::in_place,
    error::Failure,
    pool::{Pool, Slot},
    session::Session,
    verb::execute_in_transaction,
};

/// The key of the advisory lock of [`Begin::Schema`]: "larder" in ASCII.
const SCHEMA_LOCK: i64 = 0x6c61_7264_6572;

/// The longest pause between two looks at the lock.
const SCHEMA_LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Sent with the first statement. Before it, the transaction would see nothing yet.
const BEGIN: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";

/// Opens a transaction.
pub(crate) async fn begin(pool: &Arc<Pool>, begin: Begin) -> Result<Box<dyn Transaction>> {
    let wait = match begin {
        Begin::Serializable => pool.config().timeout,
        Begin::Schema => SCHEMA_LOCK_WAIT.max(pool.config().timeout),
    };
    let deadline = Instant::now() + wait;
    let slot = pool.slot(deadline).await?;
    // When the caller goes away, what was begun goes with the session.
    let session = open(&slot, begin, deadline).await?;
    let open = Open { slot, session, begin, aborted: false };
    Ok(Box::new(Handle { pool: Arc::clone(pool), shared: pool.transactions.add(open) }))
}

async fn open(slot: &Slot, begin: Begin, deadline: Instant) -> Result<Session> {
    let mut session = slot.session(deadline).await?;
    loop {
        let opened = match begin {
            Begin::Serializable => {
                session.begin_with_the_next(BEGIN);
                return Ok(session);
            }
            Begin::Schema => timeout_at(deadline, begin_schema(&mut session)).await,
        };
        let busy = || Error::new(ErrorKind::Busy, "the transaction could not be opened in time");
        match opened.map_err(|_| busy())? {
            Ok(()) => return Ok(session),
            Err(Failure::Lost(lost)) => {
                slot.pool().lost_one();
                if !session.reused {
                    return Err(lost.into_unavailable());
                }
                session = slot.connect(deadline).await?;
            }
            Err(failure) => return Err(failure.into_error()),
        }
    }
}

/// Waits for the lock in transactions of their own, so that the one that gets it sees what the one before it committed, and
/// never in the server, where a waiting transaction would hold up `CREATE INDEX CONCURRENTLY`.
async fn begin_schema(session: &mut Session) -> Result<(), Failure> {
    let lock = Sql::portable("SELECT pg_try_advisory_xact_lock($1)")
        .bind(ColumnType::Int, Value::Int(SCHEMA_LOCK))
        .returning([ColumnType::Bool]);
    loop {
        // A migration takes as long as it takes.
        session.begin("BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0").await?;
        let locked = in_place(session, &lock).await?.rows;
        if locked.first().and_then(|row| row.get(0)) == Some(&Value::Bool(true)) {
            return Ok(());
        }
        session.script("ROLLBACK").await?;
        sleep(SCHEMA_LOCK_PAUSE.mul_f64(fastrand::f64())).await;
    }
}

/// The transactions that are open on a store, so that closing it ends them.
#[derive(Debug, Default)]
pub(crate) struct OpenTransactions {
    next: AtomicU64,
    all: Mutex<HashMap<u64, Weak<Shared>>>,
}

/// An open transaction, shared by its handle and the store; empty when it has ended.
#[derive(Debug)]
struct Shared {
    number: u64,
    state: tokio::sync::Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    slot: Slot,
    session: Session,
    begin: Begin,
    /// An error other than `Conflict` happened: PostgreSQL would take a COMMIT and roll back.
    aborted: bool,
}

impl OpenTransactions {
    fn add(&self, open: Open) -> Arc<Shared> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::new(Shared { number, state: tokio::sync::Mutex::new(Some(open)) });
        self.lock().insert(number, Arc::downgrade(&shared));
        shared
    }

    fn remove(&self, number: u64) {
        self.lock().remove(&number);
    }

    /// Rolls all of them back, each when the call that it is at has ended.
    pub(crate) async fn end_all(&self) {
        let all = std::mem::take(&mut *self.lock());
        for shared in all.values().filter_map(Weak::upgrade) {
            if let Some(open) = shared.state.lock().await.take() {
                let _ = open.roll_back().await;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Weak<Shared>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// The deadline of a call; migrations have none.
    fn deadline(&self) -> Option<Instant> {
        (self.begin == Begin::Serializable).then(|| Instant::now() + self.slot.pool().config().timeout)
    }

    fn refuse(&self) -> Result<(), Failure> {
        match self.aborted {
            true => Err(Failure::Refused(Error::new(ErrorKind::TransactionAborted, ""))),
            false => Ok(()),
        }
    }

    async fn execute(&mut self, verb: &Verb) -> Result<Outcome, Failure> {
        self.refuse()?;
        let is_first = self.session.has_yet_to_begin();
        let result = bounded(self.deadline(), execute_in_transaction(&mut self.session, verb)).await;
        if !self.begins_again(is_first, &result).await {
            return result;
        }
        bounded(self.deadline(), execute_in_transaction(&mut self.session, verb)).await
    }

    async fn sql(&mut self, sql: &Sql) -> Result<SqlOutcome, Failure> {
        self.refuse()?;
        let is_first = self.session.has_yet_to_begin();
        let result = bounded(self.deadline(), in_place(&mut self.session, sql)).await;
        if !self.begins_again(is_first, &result).await {
            return result;
        }
        bounded(self.deadline(), in_place(&mut self.session, sql)).await
    }

    /// When the session was lost at the first call, it had died while it was idle, and nothing of the transaction was begun: it
    /// begins again on a new one, and the call is to be repeated.
    async fn begins_again<T>(&mut self, is_first: bool, result: &Result<T, Failure>) -> bool {
        if !(is_first && self.session.reused && matches!(result, Err(Failure::Lost(_)))) {
            return false;
        }
        self.slot.pool().lost_one();
        let deadline = Instant::now() + self.slot.pool().config().timeout;
        let Ok(session) = self.slot.connect(deadline).await else { return false };
        self.session = session;
        self.session.begin_with_the_next(BEGIN);
        true
    }

    async fn commit(mut self) -> Result<()> {
        if self.aborted {
            let _ = self.roll_back().await;
            return Err(Error::new(ErrorKind::TransactionAborted, ""));
        }
        match bounded(self.deadline(), self.session.end_by("COMMIT")).await {
            Ok(()) => {
                self.slot.give_back(self.session).await;
                Ok(())
            }
            Err(Failure::Lost(lost)) => {
                self.slot.pool().lost_one();
                Err(lost.into_write_error())
            }
            Err(failure) => {
                let error = failure.into_error();
                if *error.kind() != ErrorKind::Timeout {
                    self.slot.give_back(self.session).await;
                }
                Err(error)
            }
        }
    }

    async fn roll_back(mut self) -> Result<()> {
        let deadline = Instant::now() + self.slot.pool().config().timeout;
        bounded(Some(deadline), self.session.end_by("ROLLBACK")).await.map_err(Failure::into_error)?;
        self.slot.give_back(self.session).await;
        Ok(())
    }
}

async fn bounded<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let done = match deadline {
        Some(deadline) => timeout_at(deadline, work).await,
        None => Ok(work.await),
    };
    let result = done.unwrap_or_else(|_| Err(Failure::Refused(Error::new(ErrorKind::Timeout, ""))));
    result.map_err(|failure| failure.explained(None))
}

/// The connection was lost, the store closed, or the transaction is at its end.
fn gone() -> Error {
    Error::new(ErrorKind::Closed, "the transaction has ended")
}

/// The caller's hold on an open transaction. Dropping it rolls back.
#[derive(Debug)]
struct Handle {
    pool: Arc<Pool>,
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.pool.transactions.remove(self.shared.number);
        // When the store is ending it right now, it needs nothing more.
        let open = self.shared.state.try_lock().ok().and_then(|mut state| state.take());
        if let (Some(open), Ok(runtime)) = (open, Runtime::try_current()) {
            runtime.spawn(open.roll_back());
        }
    }
}

impl Handle {
    /// What a call in the transaction answers, and what becomes of the transaction by it.
    fn settle<T>(&self, state: &mut Option<Open>, result: Result<T, Failure>) -> Result<T> {
        let failure = match result {
            Ok(value) => return Ok(value),
            Err(failure) => failure,
        };
        if let Failure::Lost(lost) = failure {
            self.pool.lost_one();
            // It was not committed, so nothing of it is there.
            *state = None;
            return Err(lost.into_unavailable());
        }
        let error = failure.into_error();
        if *error.kind() == ErrorKind::Timeout {
            // The session is in the middle of something.
            *state = None;
        } else if let Some(open) = state {
            open.aborted |= !matches!(error.kind(), ErrorKind::Conflict { .. });
        }
        Err(error)
    }

    async fn take(&self) -> Result<Open> {
        self.pool.transactions.remove(self.shared.number);
        self.shared.state.lock().await.take().ok_or_else(gone)
    }
}

#[async_trait]
impl Transaction for Handle {
    async fn execute(&mut self, verb: Verb) -> Result<Outcome> {
        let mut state = self.shared.state.lock().await;
        let result = state.as_mut().ok_or_else(gone)?.execute(&verb).await;
        self.settle(&mut state, result)
    }

    async fn sql(&mut self, sql: Sql) -> Result<SqlOutcome> {
        let mut state = self.shared.state.lock().await;
        let result = state.as_mut().ok_or_else(gone)?.sql(&sql).await;
        self.settle(&mut state, result)
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        Detached::new(self.take().await?.commit()).await
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        Detached::new(self.take().await?.roll_back()).await
    }
}
