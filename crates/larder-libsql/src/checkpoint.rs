//! Checkpoints: the write-ahead log is moved into the file beside the writes, not by the caller whose commit made it long.

use std::sync::{
    Condvar, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crate::database::Database;

/// After this many executed calls the log is moved.
const CALLS: usize = 1000;

/// While the writer goes on writing, no checkpoint gets to the end of the log, and only a log that was moved to its end is
/// begun anew. So when it is as long as this many pages, the writer moves the little that is left.
const LONG: i64 = 4000;

/// Beyond this many pages the commit itself moves the log, whatever the thread is at: what is written in few large
/// transactions must not fill the disk.
pub(crate) const TOO_LONG: i64 = 16_000;

/// What the writer and the thread that makes checkpoints tell each other.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    state: Mutex<State>,
    changed: Condvar,
    finish: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    due: bool,
    closed: bool,
}

impl Checkpoints {
    /// The writer's side, after a commit: `calls` were executed since the last time that this was true.
    pub(crate) fn are_due_after(&self, calls: usize) -> bool {
        if calls < CALLS {
            return false;
        }
        self.lock().due = true;
        self.changed.notify_one();
        true
    }

    /// The writer's side: is it to move what is left of the log?
    pub(crate) fn must_be_finished(&self) -> bool {
        self.finish.load(Ordering::Relaxed) && self.finish.swap(false, Ordering::Relaxed)
    }

    /// The thread's side: makes checkpoints until it is closed.
    pub(crate) fn serve(&self, database: &Database) {
        while self.wait() {
            match database.checkpoint() {
                Ok(log) if log.pages >= LONG => self.finish.store(true, Ordering::Relaxed),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the write-ahead log could not be moved into the file"),
            }
        }
    }

    /// Ends the thread.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Waits until one is due; false when it is closed.
    fn wait(&self) -> bool {
        let nothing_to_do = |state: &mut State| !state.due && !state.closed;
        let mut state =
            self.changed.wait_while(self.lock(), nothing_to_do).unwrap_or_else(PoisonError::into_inner);
        state.due = false;
        !state.closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
