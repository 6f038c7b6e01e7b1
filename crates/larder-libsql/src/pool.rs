//! Connections that callers read with in place, on the thread that polls them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use larder_core::{ErrorKind, Result};

use crate::{call::Work, database::Database};

/// Passing a message to a thread and back takes several times as long as looking up a row. So a caller that finds a
/// connection idle takes it, and reads. What turns out to take longer than a look-up is stopped, and is for a thread.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    state: Mutex<State>,
    given_back: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Database>,
    lent: usize,
    closed: bool,
}

impl Pool {
    pub(crate) fn add(&self, database: Database) {
        self.lock().idle.push(database);
    }

    /// Runs the work now, on this thread. `None`, having done nothing, when no connection is idle, when it takes too long, or
    /// when it would have to wait for a lock.
    pub(crate) fn run<W: Work>(&self, work: &W) -> Option<Result<W::Answer>> {
        let lent = self.take()?;
        let database = lent.database.as_ref()?;
        let watch = database.watch_briefly();
        let answer = work.run(database);
        drop(watch);
        match &answer {
            Err(error) if matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Busy) => None,
            _ => Some(answer),
        }
    }

    fn take(&self) -> Option<Lent<'_>> {
        let mut state = self.lock();
        let database = state.idle.pop()?;
        state.lent += 1;
        Some(Lent { pool: self, database: Some(database) })
    }

    /// Lends nothing more, and closes its connections: those that are lent when they are given back.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.idle.clear();
    }

    /// Once it is closed: waits until all of its connections are.
    pub(crate) fn wait_until_closed(&self) {
        let some_are_lent = |state: &mut State| state.lent > 0;
        drop(self.given_back.wait_while(self.lock(), some_are_lent).unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that goes back to the pool, or is closed when the pool is.
struct Lent<'a> {
    pool: &'a Pool,
    database: Option<Database>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let Some(database) = self.database.take() else { return };
        // Nothing of it stays open: a snapshot that is kept would keep the log from being reused.
        database.roll_back();
        let mut state = self.pool.lock();
        state.lent -= 1;
        if !state.closed {
            return state.idle.push(database);
        }
        drop(database);
        drop(state);
        self.pool.given_back.notify_all();
    }
}
