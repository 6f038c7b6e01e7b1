//! Checkpoints: the write-ahead log is moved into the file beside the writes, not by the caller whose commit made it long.

use std::{
    cell::Cell,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use crate::database::Database;

/// About how many pages a call adds to the log, and a commit beside those of its calls, when rows are small and tables have
/// a few indexes. SQLite does not say how long the log is, and an estimate will do.
const PAGES_OF_CALL: usize = 2;
const PAGES_OF_COMMIT: usize = 4;

/// After this many pages the log is moved. The last part makes all wait until the file is synced: of 64 callers who write on
/// and on, less than one call in a hundred.
const MANY: usize = 8_000;

/// After this many the writer waits for the thread, which the disk keeps from following.
const TOO_MANY: usize = 4 * MANY;

/// Beyond this many, which SQLite counts itself, the commit moves the log, unless the thread is at it: what is written in few
/// large transactions must not fill the disk.
pub(crate) const TOO_MANY_IN_FACT: usize = TOO_MANY;

/// What the writer and the thread that makes checkpoints tell each other.
///
/// SQLite begins the log anew only when all of it was moved, and that no thread achieves while the writer goes on writing. So
/// the thread moves what there is, then what was written meanwhile, and leaves the little that is left to the writer.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    stage: Mutex<Stage>,
    changed: Condvar,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// None is due.
    #[default]
    Rest,
    /// It is the thread's turn.
    Thread,
    /// It is the writer's turn.
    Writer,
    /// There will be no other.
    Closed,
}

impl Checkpoints {
    /// The thread's side: makes checkpoints until it is closed.
    pub(crate) fn serve(&self, database: &Database) {
        let _end = End(self);
        while self.wait_while(|stage| matches!(stage, Stage::Rest | Stage::Writer)) == Stage::Thread {
            database.checkpoint();
            database.checkpoint();
            self.step(Stage::Thread, Stage::Writer);
        }
    }

    /// Ends the thread.
    pub(crate) fn close(&self) {
        *self.lock() = Stage::Closed;
        self.changed.notify_all();
    }

    fn step(&self, from: Stage, to: Stage) {
        let mut stage = self.lock();
        if *stage == from {
            *stage = to;
            self.changed.notify_all();
        }
    }

    fn wait_while(&self, wait: impl Fn(Stage) -> bool) -> Stage {
        let stage = self.changed.wait_while(self.lock(), |stage| wait(*stage));
        *stage.unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of the thread, by whatever way: the writer is not left waiting.
struct End<'a>(&'a Checkpoints);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The writer's side.
#[derive(Debug, Default)]
pub(crate) struct Executed {
    pages: Cell<usize>,
}

impl Executed {
    /// A call was executed.
    pub(crate) fn count(&self) {
        self.pages.update(|pages| pages + PAGES_OF_CALL);
    }

    /// A transaction has ended: asks for a checkpoint, or makes its last part.
    pub(crate) fn settle(&self, checkpoints: &Checkpoints, database: &Database) {
        self.pages.update(|pages| pages + PAGES_OF_COMMIT);
        let pages = self.pages.get();
        if pages < MANY {
            return;
        }
        checkpoints.step(Stage::Rest, Stage::Thread);
        let waits = pages >= TOO_MANY;
        if checkpoints.wait_while(|stage| waits && stage == Stage::Thread) == Stage::Thread {
            return;
        }
        database.checkpoint();
        checkpoints.step(Stage::Writer, Stage::Rest);
        self.pages.set(0);
    }
}
