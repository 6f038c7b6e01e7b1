//! The thread that writes: whatever is queued becomes one transaction, and one commit.

use std::{
    cell::Cell,
    sync::Arc,
    thread::{JoinHandle, sleep, yield_now},
    time::{Duration, Instant},
};

use larder_core::{Error, ErrorKind, Result, SCHEMA_LOCK_WAIT};
use rusqlite::ffi;
use tokio::sync::{mpsc, oneshot};

use crate::{
    call::{Job, Ran, Ticket},
    checkpoint::Executed,
    database::{Database, lost_transaction},
    error::{from_sqlite, primary_code},
    shared::Shared,
};

/// The most calls in one commit. It bounds how long the first of them waits for the last.
const GROUP: usize = 256;

/// How long to wait before the write lock is tried for again, when SQLite itself did not wait.
const PAUSE: Duration = Duration::from_millis(1);

/// What the writer is sent.
pub(crate) enum Message {
    /// To be committed, with others or alone.
    Job(Box<dyn Job>),
    /// A caller that wants the connection for a transaction of its own.
    Begin(Begin),
}

/// A request for a transaction; the answer is where to send its calls.
pub(crate) struct Begin {
    pub(crate) kind: larder_core::Begin,
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) reply: oneshot::Sender<Result<mpsc::UnboundedSender<Step>>>,
}

/// What an open transaction is sent.
pub(crate) enum Step {
    /// To be executed inside.
    Job(Box<dyn Job>),
    /// To be ended.
    End { ticket: Arc<Ticket>, commit: bool, reply: oneshot::Sender<Result<()>> },
}

impl Message {
    fn ticket(&self) -> &Arc<Ticket> {
        match self {
            Self::Job(job) => job.ticket(),
            Self::Begin(begin) => &begin.ticket,
        }
    }

    fn fail(self, error: Error) {
        match self {
            Self::Job(job) => job.fail(error),
            // An error means that the caller has gone.
            Self::Begin(begin) => drop(begin.reply.send(Err(error))),
        }
    }

    /// How long it waits for a lock that another handle or process holds.
    fn patience(&self, busy_timeout: Duration) -> Duration {
        match self {
            Self::Begin(Begin { kind: larder_core::Begin::Schema, .. }) => busy_timeout.max(SCHEMA_LOCK_WAIT),
            _ => busy_timeout,
        }
    }

    fn may_join(&self) -> bool {
        matches!(self, Self::Job(job) if !job.alone())
    }
}

pub(crate) struct Writer {
    database: Database,
    shared: Arc<Shared>,
    /// The other threads of the store.
    pub(crate) threads: Vec<JoinHandle<()>>,
    /// How many calls the last commit was for.
    last_group: Cell<usize>,
    /// What the log holds since the last checkpoint.
    executed: Executed,
}

impl Writer {
    pub(crate) fn new(database: Database, shared: &Arc<Shared>) -> Self {
        Self {
            database,
            shared: Arc::clone(shared),
            threads: Vec::new(),
            last_group: Cell::new(0),
            executed: Executed::default(),
        }
    }

    /// Serves the queue until it is closed and empty; then closes the connections, the own one last, so that closing it
    /// moves the write-ahead log into the file.
    pub(crate) fn serve(self) {
        while let Some(message) = self.shared.writes.take() {
            if self.shared.config.is_file() {
                self.executed.settle(&self.shared.checkpoints, &self.database);
            }
            match message {
                Message::Job(job) if job.alone() => self.commit(job, &mut || None),
                Message::Job(job) => {
                    let mut waits = self.last_group.get() > 1;
                    self.commit(job, &mut || self.next_to_join(&mut waits));
                }
                Message::Begin(begin) if begin.kind == larder_core::Begin::Schema => {
                    self.schema_transaction(begin);
                }
                Message::Begin(begin) => self.transaction(begin, &|| Ok(())),
            }
        }
        self.shared.in_place.empty();
        self.shared.checkpoints.close();
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
        if self.shared.config.is_file()
            && let Err(error) = self.database.empty_log()
        {
            tracing::warn!(%error, "the write-ahead log stays beside the file");
        }
    }

    /// The next job of the group. When the last group had several, its callers were answered a moment ago and are about to
    /// call again: they get one turn of the processor to do so, without which half of them would just miss this commit.
    fn next_to_join(&self, waits: &mut bool) -> Option<Box<dyn Job>> {
        let next = || self.shared.writes.take_if(Message::may_join);
        let message = next().or_else(|| {
            if !std::mem::take(waits) {
                return None;
            }
            yield_now();
            next()
        });
        match message? {
            Message::Job(job) => Some(job),
            // `may_join` has refused it.
            Message::Begin(_) => None,
        }
    }

    /// Executes `first` and those that `next` gives in one transaction, such that each fails alone, and answers all of them
    /// after the commit.
    fn commit(&self, first: Box<dyn Job>, next: &mut dyn FnMut() -> Option<Box<dyn Job>>) {
        let Some(Message::Job(mut first)) = self.begin(Message::Job(first)) else { return };
        if !first.ticket().begin() {
            return self.database.roll_back();
        }
        // The first needs no savepoint: when it fails, the transaction holds nothing else.
        if self.run(&mut *first) != Ran::Done {
            self.database.roll_back();
            return first.answer();
        }
        let mut group = vec![first];
        while group.len() < GROUP {
            let Some(mut job) = next() else { break };
            if !job.ticket().begin() {
                continue;
            }
            let kept = if job.is_one_statement() {
                self.run_one_statement(&mut *job)
            } else {
                self.run_apart(&mut *job)
            };
            group.push(job);
            if kept.is_err() {
                return self.one_by_one(group);
            }
        }
        self.end_group(group);
    }

    fn run(&self, job: &mut dyn Job) -> Ran {
        self.executed.count();
        job.run(&self.database)
    }

    /// Runs a job that is one statement. SQLite undoes what it refuses, so that it needs no savepoint. `Err` when it failed in
    /// any other way, or when the transaction is lost.
    fn run_one_statement(&self, job: &mut dyn Job) -> Result<()> {
        let ran = self.run(job);
        if ran == Ran::Failed || !self.database.in_transaction() {
            return Err(lost_transaction());
        }
        Ok(())
    }

    /// Runs a job such that its failure undoes nothing but its own writes. `Err` when the transaction is lost.
    fn run_apart(&self, job: &mut dyn Job) -> Result<()> {
        let database = &self.database;
        database.control("SAVEPOINT caller").map_err(from_sqlite)?;
        let ran = self.run(job);
        // A full disk, an I/O error or a statement that was stopped undo everything that was not committed.
        if !database.in_transaction() {
            return Err(lost_transaction());
        }
        if ran != Ran::Done {
            database.control("ROLLBACK TO caller").map_err(from_sqlite)?;
        }
        database.control("RELEASE caller").map_err(from_sqlite)
    }

    fn end_group(&self, group: Vec<Box<dyn Job>>) {
        self.last_group.set(group.len());
        let waited = group.iter().map(|job| job.ticket().accepted.elapsed()).sum();
        self.shared.groups.count(group.len(), waited);
        match self.end(true) {
            Ok(()) => group.into_iter().for_each(<dyn Job>::answer),
            // A group may be too large for what is left of the disk when each of it is not.
            Err(error) if *error.kind() == ErrorKind::Full && group.len() > 1 => self.one_by_one(group),
            Err(error) => group.into_iter().for_each(|job| job.fail(error.clone())),
        }
    }

    /// After a rollback of everything: nothing was committed and nobody was answered, so that each job can be executed
    /// again in a transaction of its own, where only those fail that fail by themselves.
    fn one_by_one(&self, group: Vec<Box<dyn Job>>) {
        self.database.roll_back();
        for job in group {
            self.commit(job, &mut || None);
        }
    }

    /// Opens a write transaction for the message's caller and hands the message back; `None` when that cannot be done, or
    /// when nobody wants it any more: then the caller is answered.
    fn begin(&self, message: Message) -> Option<Message> {
        let busy_since = message.ticket().accepted;
        let patience = message.patience(self.shared.config.busy_timeout);
        loop {
            if message.ticket().is_gone() {
                return None;
            }
            let error = match self.database.control("BEGIN IMMEDIATE") {
                Ok(()) => return Some(message),
                Err(error) => error,
            };
            let locked = primary_code(&error) == Some(ffi::SQLITE_BUSY);
            let waited = busy_since.elapsed() >= patience;
            if !locked || waited || message.ticket().is_late() {
                // Whoever was told `Busy` already is gone, and is not told again.
                if message.ticket().begin() {
                    message.fail(from_sqlite(error));
                }
                return None;
            }
            sleep(PAUSE);
        }
    }

    /// Ends the open transaction. When it cannot be committed it is rolled back.
    fn end(&self, commit: bool) -> Result<()> {
        if !self.database.in_transaction() {
            return if commit { Err(lost_transaction()) } else { Ok(()) };
        }
        if !commit {
            self.database.roll_back();
            return Ok(());
        }
        let give_up = Instant::now() + self.shared.config.busy_timeout;
        loop {
            let Err(error) = self.database.control("COMMIT") else { return Ok(()) };
            // Only a database in memory can be busy here, for the moment in which another handle asks for the lock.
            if primary_code(&error) == Some(ffi::SQLITE_BUSY) && Instant::now() < give_up {
                sleep(PAUSE);
                continue;
            }
            self.database.roll_back();
            return Err(commit_error(error));
        }
    }

    /// As [`Writer::transaction`], without the enforcement of foreign keys: SQLite alters most of a table only by building it
    /// anew, and dropping the old one would delete all children. What is to be committed is checked instead.
    fn schema_transaction(&self, begin: Begin) {
        if let Err(error) = self.database.enforce_foreign_keys(false) {
            return Message::Begin(begin).fail(error);
        }
        self.transaction(begin, &|| self.database.check_foreign_keys());
        if let Err(error) = self.database.enforce_foreign_keys(true) {
            // Without them nothing that is written could be relied on.
            tracing::error!(%error, "the store closes");
            self.shared.close();
        }
    }

    /// Serves one open transaction, until it is ended or its handle is dropped. Everybody else waits in the queue. What fails
    /// `check` is rolled back in place of the commit.
    fn transaction(&self, begin: Begin, check: &dyn Fn() -> Result<()>) {
        let Some(Message::Begin(begin)) = self.begin(Message::Begin(begin)) else { return };
        if !begin.ticket.begin() {
            return self.database.roll_back();
        }
        let (sender, mut steps) = mpsc::unbounded_channel();
        let _open = self.shared.open_transaction();
        // When the caller has gone, the sender is dropped here and ends the transaction below.
        drop(begin.reply.send(Ok(sender)));
        while let Some(step) = steps.blocking_recv() {
            match step {
                Step::Job(job) => self.step(job),
                Step::End { ticket, commit, reply } if ticket.begin() => {
                    let checked = if commit { check() } else { Ok(()) };
                    let ended = self.end(commit && checked.is_ok());
                    drop(reply.send(checked.and(ended)));
                    return;
                }
                Step::End { .. } => {}
            }
        }
        self.database.roll_back();
    }

    fn step(&self, mut job: Box<dyn Job>) {
        if !job.ticket().begin() {
            return;
        }
        if !self.database.in_transaction() {
            return job.fail(lost_transaction());
        }
        match self.run_apart(&mut *job) {
            Ok(()) => job.answer(),
            // What the statement itself says is better than that the transaction is lost.
            Err(_) if !self.database.in_transaction() => job.answer(),
            Err(error) => job.fail(error),
        }
    }
}

/// After a failed write or sync of the log nobody can say whether it holds the commit.
fn commit_error(error: rusqlite::Error) -> Error {
    match primary_code(&error) {
        Some(ffi::SQLITE_IOERR) => {
            Error::new(ErrorKind::Ambiguous, "the commit could not be written").with_source(error)
        }
        _ => from_sqlite(error),
    }
}
