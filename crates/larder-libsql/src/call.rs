//! A call on its way from an async caller to a thread and back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use larder_core::{Error, ErrorKind, Result};
use tokio::{sync::oneshot, time::timeout_at};

use crate::{database::Database, queue::Queue};

/// How long after its deadline a caller still waits for a call that was begun: the statement is stopped at the deadline,
/// and the answer is on its way.
const GRACE: Duration = Duration::from_secs(1);

/// What a caller and a thread agree on: whether the call was begun, and until when it may run. Whoever changes `state`
/// first decides, so that a call whose caller was told `Busy` is never executed.
#[derive(Debug)]
pub(crate) struct Ticket {
    state: AtomicU8,
    pub(crate) accepted: Instant,
    pub(crate) deadline: Instant,
}

const WAITING: u8 = 0;
const BEGUN: u8 = 1;
const GONE: u8 = 2;

impl Ticket {
    pub(crate) fn new(timeout: Duration) -> Arc<Self> {
        let accepted = Instant::now();
        Arc::new(Self { state: AtomicU8::new(WAITING), accepted, deadline: accepted + timeout })
    }

    /// The thread's side: may the call be executed now (for the first time, or again after a rollback)?
    pub(crate) fn begin(&self) -> bool {
        match self.state.compare_exchange(WAITING, BEGUN, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(state) => state == BEGUN,
        }
    }

    /// True when nobody waits for the answer any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.state.load(Ordering::Acquire) == GONE
    }

    pub(crate) fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// The caller's side: true when the call was never begun, and now never will be.
    fn withdraw(&self) -> bool {
        self.state.compare_exchange(WAITING, GONE, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// A caller's hold on its ticket: dropped with the caller's future.
#[derive(Debug)]
pub(crate) struct Caller(Arc<Ticket>);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.state.store(GONE, Ordering::Release);
    }
}

impl Caller {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self(Ticket::new(timeout))
    }

    pub(crate) fn ticket(&self) -> Arc<Ticket> {
        Arc::clone(&self.0)
    }

    /// Puts a message that holds this caller's ticket into a queue, waiting for a place in it.
    pub(crate) async fn send<T>(&self, queue: &Queue<T>, message: T) -> Result<()> {
        let deadline = self.0.deadline.into();
        let place = match timeout_at(deadline, queue.place()).await {
            Ok(place) => place.map_err(|_| closed())?,
            Err(_) => return Err(Error::new(ErrorKind::Busy, "the queue of waiting calls stayed full")),
        };
        queue.put(message, place).map_err(|_| closed())
    }

    /// Waits for the answer. `why_waiting` says, when the call was not begun by the deadline, what it waited for.
    pub(crate) async fn answer<A>(
        &self,
        mut answer: oneshot::Receiver<Result<A>>,
        why_waiting: impl FnOnce() -> &'static str,
    ) -> Result<A> {
        let deadline = self.0.deadline.into();
        match timeout_at(deadline, &mut answer).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(self.lost())),
            Err(_) if self.0.withdraw() => Err(Error::new(ErrorKind::Busy, why_waiting())),
            Err(_) => match timeout_at(deadline + GRACE, answer).await {
                Ok(answer) => answer.unwrap_or_else(|_| Err(self.lost())),
                Err(_) => Err(Error::new(ErrorKind::Timeout, "the database has not answered")),
            },
        }
    }

    /// The thread ended without an answer.
    fn lost(&self) -> Error {
        if self.0.withdraw() {
            closed()
        } else {
            Error::new(ErrorKind::Ambiguous, "the thread of the database ended in the middle of the call")
        }
    }
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the store was closed")
}

/// Something that a thread does with its connection.
pub(crate) trait Work: Send + 'static {
    type Answer: Send + 'static;

    /// True when it must not share a transaction with others' work.
    const ALONE: bool = false;

    /// Does it. When it fails inside a transaction it may leave half of its writes: the caller rolls back to before it.
    fn run(&self, database: &Database) -> Result<Self::Answer>;

    /// True when it changes nothing, so that it may be stopped as soon as nobody wants the answer.
    fn is_read(&self) -> bool;

    /// True when a single statement of one row does it, or none that writes: [refused](is_refusal), it has undone itself.
    fn is_one_statement(&self) -> bool {
        self.is_read()
    }
}

/// Is it the kind of error that a verb ends with when the database, or the check before it, refuses what it says?
pub(crate) fn is_refusal(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Conflict { .. } | ErrorKind::MissingParent { .. } | ErrorKind::Invalid { .. }
    )
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    /// It did what it was to do.
    Done,
    /// It was refused: when it is one statement, nothing of it is written.
    Refused,
    /// It failed, and may have left half of its writes.
    Failed,
}

/// Work with its ticket and the way back, of whatever type its answer is.
pub(crate) trait Job: Send {
    fn ticket(&self) -> &Arc<Ticket>;

    /// [`Work::ALONE`].
    fn alone(&self) -> bool;

    /// [`Work::is_one_statement`].
    fn is_one_statement(&self) -> bool;

    /// Runs the work and keeps the answer. May be called again.
    fn run(&mut self, database: &Database) -> Ran;

    /// Sends the answer that was kept.
    fn answer(self: Box<Self>);

    /// Sends this error, whatever was kept.
    fn fail(self: Box<Self>, error: Error);
}

/// The one implementation of [`Job`].
struct Call<W: Work> {
    work: W,
    ticket: Arc<Ticket>,
    reply: oneshot::Sender<Result<W::Answer>>,
    answer: Option<Result<W::Answer>>,
}

/// A job for `caller`, and where its answer will arrive.
pub(crate) fn job<W: Work>(caller: &Caller, work: W) -> (Box<dyn Job>, oneshot::Receiver<Result<W::Answer>>) {
    let (reply, answer) = oneshot::channel();
    (Box::new(Call { work, ticket: caller.ticket(), reply, answer: None }), answer)
}

impl<W: Work> Job for Call<W> {
    fn ticket(&self) -> &Arc<Ticket> {
        &self.ticket
    }

    fn alone(&self) -> bool {
        W::ALONE
    }

    fn is_one_statement(&self) -> bool {
        self.work.is_one_statement()
    }

    fn run(&mut self, database: &Database) -> Ran {
        let _watch = database.watch(&self.ticket, self.work.is_read());
        let answer = self.work.run(database);
        let ran = match &answer {
            Ok(_) => Ran::Done,
            Err(error) if is_refusal(error) => Ran::Refused,
            Err(_) => Ran::Failed,
        };
        self.answer = Some(answer);
        ran
    }

    fn answer(self: Box<Self>) {
        if let Some(answer) = self.answer {
            // An error means that the caller has gone.
            let _ = self.reply.send(answer);
        }
    }

    fn fail(self: Box<Self>, error: Error) {
        let _ = self.reply.send(Err(error));
    }
}
