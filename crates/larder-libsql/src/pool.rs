//! Connections that callers read with in place, on the thread that polls them.

use std::sync::{
    Mutex, MutexGuard, PoisonError, TryLockError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use larder_core::{ErrorKind, Result};

use crate::{call::Work, database::Database};

/// Passing a message to a thread and back takes several times as long as looking up a row. So a caller that finds a
/// connection idle takes it, and reads. What turns out to take longer than a look-up is stopped, and is for a thread.
#[derive(Debug)]
pub(crate) struct Pool {
    /// A connection is locked while one of the callers reads with it; there is none before it is opened, and after the end.
    places: Box<[Mutex<Option<Database>>]>,
    closed: AtomicBool,
}

/// Where a thread looks for a connection first: always at the same place, so that what the connection has in its cache is
/// in that of the processor.
fn home() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static HOME: usize = THREADS.fetch_add(1, Ordering::Relaxed);
    }
    HOME.with(|home| *home)
}

impl Pool {
    /// So many places, and no connection.
    pub(crate) fn new(places: usize) -> Self {
        Self { places: (0..places).map(|_| Mutex::default()).collect(), closed: AtomicBool::new(false) }
    }

    pub(crate) fn put(&self, place: usize, database: Database) {
        *lock(&self.places[place]) = Some(database);
    }

    /// Runs the work now, on this thread. `None`, having done nothing, when no connection is idle, when it takes too long, or
    /// when it would have to wait for a lock.
    pub(crate) fn run<W: Work>(&self, work: &W) -> Option<Result<W::Answer>> {
        let idle = self.idle()?;
        let database = idle.as_ref()?;
        let watch = database.watch_briefly();
        let answer = work.run(database);
        drop(watch);
        // Nothing of it stays open: a snapshot that is kept would keep the log from being reused.
        database.roll_back();
        match &answer {
            Err(error) if matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Busy) => None,
            _ => Some(answer),
        }
    }

    fn idle(&self) -> Option<MutexGuard<'_, Option<Database>>> {
        if self.closed.load(Ordering::Acquire) {
            return None;
        }
        let first = home().checked_rem(self.places.len())?;
        let (before, from) = self.places.split_at(first);
        from.iter().chain(before).find_map(|place| match place.try_lock() {
            Ok(database) => database.is_some().then_some(database),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Poisoned(broken)) => {
                // Nobody knows what it was at when its caller panicked.
                broken.into_inner().take();
                None
            }
        })
    }

    /// Lends nothing from now on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Closes the connections, each as soon as nobody reads with it.
    pub(crate) fn empty(&self) {
        for place in &self.places {
            lock(place).take();
        }
    }
}

fn lock(place: &Mutex<Option<Database>>) -> MutexGuard<'_, Option<Database>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}
