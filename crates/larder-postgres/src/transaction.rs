//! An open transaction: a task that owns a session and does what its handle says until it ends.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use larder_core::{
    Begin, ColumnType, Error, ErrorKind, Outcome, Result, SCHEMA_LOCK_WAIT, Sql, SqlOutcome, Transaction,
    Value, Verb,
};
use tokio::{
    sync::{mpsc, oneshot},
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

/// What a handle asks for, and where the answer goes.
#[derive(Debug)]
enum Request {
    Verb(Verb, oneshot::Sender<Result<Outcome>>),
    Sql(Sql, oneshot::Sender<Result<SqlOutcome>>),
    Commit(oneshot::Sender<Result<()>>),
    Rollback(oneshot::Sender<Result<()>>),
}

#[derive(Debug)]
struct Handle {
    requests: mpsc::Sender<Request>,
}

/// Opens a transaction.
pub(crate) async fn begin(pool: &Arc<Pool>, begin: Begin) -> Result<Box<dyn Transaction>> {
    let wait = match begin {
        Begin::Serializable => pool.config().timeout,
        Begin::Schema => SCHEMA_LOCK_WAIT.max(pool.config().timeout),
    };
    let deadline = Instant::now() + wait;
    let slot = pool.slot(deadline).await?;
    let (opened, is_open) = oneshot::channel();
    let (requests, inbox) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut opened = opened;
        let open = tokio::select! {
            open = open(&slot, begin, deadline) => open,
            // Nobody waits for it any more: what was begun goes with the session.
            () = opened.closed() => return,
        };
        match open {
            Ok(session) => {
                // When nobody took it, the handle is gone too, and the transaction ends by that.
                let _ = opened.send(Ok(()));
                Actor { slot, session, inbox, begin, aborted: false }.run().await;
            }
            Err(error) => drop(opened.send(Err(error))),
        }
    });
    is_open.await.map_err(|_| gone())??;
    Ok(Box::new(Handle { requests }))
}

async fn open(slot: &Slot, begin: Begin, deadline: Instant) -> Result<Session> {
    let mut session = slot.session(deadline).await?;
    loop {
        let opened = match begin {
            Begin::Serializable => {
                timeout_at(deadline, session.begin("BEGIN ISOLATION LEVEL SERIALIZABLE")).await
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

struct Actor {
    slot: Slot,
    session: Session,
    inbox: mpsc::Receiver<Request>,
    begin: Begin,
    /// An error other than `Conflict` happened: PostgreSQL would take a COMMIT and roll back.
    aborted: bool,
}

/// What becomes of the transaction after a request.
enum Then {
    GoOn,
    /// It has ended; the session is as new.
    Ended,
    /// The session is not to be used again.
    Drop,
}

impl Actor {
    async fn run(mut self) {
        let mut closing = self.slot.pool().closing();
        loop {
            let request = tokio::select! {
                request = self.inbox.recv() => request,
                _ = closing.wait_for(|closing| *closing) => None,
            };
            let then = match request {
                Some(request) => self.answer(request).await,
                None => self.roll_back().await.1,
            };
            match then {
                Then::GoOn => {}
                Then::Ended => return self.slot.give_back(self.session).await,
                Then::Drop => return,
            }
        }
    }

    async fn answer(&mut self, request: Request) -> Then {
        match request {
            Request::Verb(verb, answer) => {
                let result = match self.refuse() {
                    Some(error) => Err(error),
                    None => {
                        let deadline = self.deadline();
                        bounded(deadline, execute_in_transaction(&mut self.session, &verb)).await
                    }
                };
                self.reply(result, answer)
            }
            Request::Sql(sql, answer) => {
                let result = match self.refuse() {
                    Some(error) => Err(error),
                    None => bounded(self.deadline(), in_place(&mut self.session, &sql)).await,
                };
                self.reply(result, answer)
            }
            Request::Commit(answer) => {
                let (result, then) = self.commit().await;
                let _ = answer.send(result);
                then
            }
            Request::Rollback(answer) => {
                let (result, then) = self.roll_back().await;
                let _ = answer.send(result);
                then
            }
        }
    }

    /// The deadline of a request; migrations have none.
    fn deadline(&self) -> Option<Instant> {
        (self.begin == Begin::Serializable).then(|| Instant::now() + self.slot.pool().config().timeout)
    }

    fn refuse(&self) -> Option<Failure> {
        self.aborted.then(|| Failure::Refused(Error::new(ErrorKind::TransactionAborted, "")))
    }

    fn reply<T>(&mut self, result: Result<T, Failure>, answer: oneshot::Sender<Result<T>>) -> Then {
        let (result, then) = match result {
            Ok(value) => (Ok(value), Then::GoOn),
            Err(Failure::Lost(lost)) => {
                self.slot.pool().lost_one();
                // It was not committed, so nothing of it is there.
                (Err(lost.into_unavailable()), Then::Drop)
            }
            Err(failure) => {
                let error = failure.into_error();
                self.aborted |= !matches!(error.kind(), ErrorKind::Conflict { .. });
                let then = if *error.kind() == ErrorKind::Timeout { Then::Drop } else { Then::GoOn };
                (Err(error), then)
            }
        };
        let _ = answer.send(result);
        then
    }

    async fn commit(&mut self) -> (Result<()>, Then) {
        if self.aborted {
            let (_, then) = self.roll_back().await;
            return (Err(Error::new(ErrorKind::TransactionAborted, "")), then);
        }
        match bounded(self.deadline(), self.session.script("COMMIT")).await {
            Ok(()) => (Ok(()), Then::Ended),
            Err(Failure::Lost(lost)) => {
                self.slot.pool().lost_one();
                (Err(lost.into_write_error()), Then::Drop)
            }
            Err(failure) => {
                let error = failure.into_error();
                let then = if *error.kind() == ErrorKind::Timeout { Then::Drop } else { Then::Ended };
                (Err(error), then)
            }
        }
    }

    async fn roll_back(&mut self) -> (Result<()>, Then) {
        let deadline = Instant::now() + self.slot.pool().config().timeout;
        match bounded(Some(deadline), self.session.script("ROLLBACK")).await {
            Ok(()) => (Ok(()), Then::Ended),
            Err(failure) => (Err(failure.into_error()), Then::Drop),
        }
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

impl Handle {
    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<Result<T>>) -> Request) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// The task has ended: the connection was lost or the store closed.
fn gone() -> Error {
    Error::new(ErrorKind::Closed, "the transaction has ended")
}

#[async_trait]
impl Transaction for Handle {
    async fn execute(&mut self, verb: Verb) -> Result<Outcome> {
        self.ask(|answer| Request::Verb(verb, answer)).await
    }

    async fn sql(&mut self, sql: Sql) -> Result<SqlOutcome> {
        self.ask(|answer| Request::Sql(sql, answer)).await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.ask(Request::Commit).await
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.ask(Request::Rollback).await
    }
}
