//! The task that keeps a file up to its primary.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use larder_core::{Error, ErrorKind, ReplicaFailure, ReplicaReport, Result};
use libsql_replication::frame::FrameNo;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout_at},
};

use super::sync::Syncer;

/// How long it rests after the first sync that failed; twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// How long at most, while writes of this process are not in the file yet.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Follows the primary until it is dropped or ended.
///
/// What it counts are writes, not the numbers of the primary's log: a primary that was killed begins a new log with small
/// numbers. A sync that was begun after a write was acknowledged brings that write.
#[derive(Debug)]
pub(super) struct Follower(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    interval: Duration,
    /// Are there writes that no sync has brought yet? Changed together with `progress`, whose lock is held then.
    is_behind: AtomicBool,
    progress: watch::Sender<Progress>,
    asked: Notify,
    ending: watch::Sender<bool>,
}

#[derive(Debug, Default)]
pub(super) struct Progress {
    /// How many writes were acknowledged.
    written: u64,
    /// How many of them a sync has brought.
    brought: u64,
    reached: Option<FrameNo>,
    /// When the last sync that succeeded had begun.
    synced: Option<Instant>,
    failing: Option<Failing>,
    ended: bool,
}

#[derive(Debug, Clone)]
struct Failing {
    since: Instant,
    times: u32,
    error: Error,
}

impl Follower {
    /// Opens the file by `open`, which is given the sign to end, and syncs it once when it holds nothing yet. Then follows.
    ///
    /// # Errors
    /// Those of `open`; those of the sync, when it was the first one of this file.
    pub(super) async fn start(
        interval: Duration,
        open: impl AsyncFnOnce(watch::Receiver<bool>) -> Result<Syncer>,
    ) -> Result<Self> {
        let ending = watch::Sender::new(false);
        let mut syncer = open(ending.subscribe()).await?;
        let mut progress = Progress { reached: syncer.reached(), ..Progress::default() };
        if progress.reached.is_none() {
            let begun = Instant::now();
            progress.reached = syncer.sync().await?;
            progress.synced = Some(begun);
        }
        let (is_behind, asked) = (AtomicBool::new(false), Notify::new());
        let shared =
            Arc::new(Shared { interval, is_behind, progress: watch::Sender::new(progress), asked, ending });
        tokio::spawn(follow(Arc::clone(&shared), syncer));
        Ok(Self(shared))
    }

    /// A write was acknowledged, or may have been applied: it is fetched at once, and [`Follower::catch_up`] waits for it.
    pub(super) fn written(&self) {
        self.0.progress.send_if_modified(|progress| {
            progress.written += 1;
            self.0.is_behind.store(true, Ordering::Release);
            false
        });
        self.0.asked.notify_one();
    }

    /// Are there writes that the file may not hold yet?
    pub(super) fn is_behind(&self) -> bool {
        self.0.is_behind.load(Ordering::Acquire)
    }

    /// Waits until the file holds everything that was written before. When the primary has been out of reach for as long as
    /// `patience` already, that is not waited for again.
    ///
    /// # Errors
    /// `Timeout`, `Unavailable` or why else syncs fail, when it does not get there in time.
    pub(super) async fn catch_up(&self, patience: Duration) -> Result<()> {
        let mut progress = self.0.progress.subscribe();
        let (wanted, failing) = {
            let progress = progress.borrow_and_update();
            (progress.written, progress.failing.as_ref().map(|failing| failing.since))
        };
        let deadline = failing.unwrap_or_else(Instant::now) + patience;
        let arrived = progress.wait_for(|progress| progress.brought >= wanted || progress.ended);
        match timeout_at(deadline, arrived).await {
            Ok(Ok(progress)) if progress.brought >= wanted => Ok(()),
            Ok(_) => Err(crate::call::closed()),
            Err(_) => Err(self.late()),
        }
    }

    fn late(&self) -> Error {
        let hint =
            "the replica does not hold the latest writes yet; reads that are `Local` answer without them";
        match self.0.progress.borrow().failing.clone() {
            Some(failing) => {
                let kind = match failing.error.kind() {
                    ErrorKind::Denied => ErrorKind::Denied,
                    _ => ErrorKind::Unavailable,
                };
                Error::new(kind, hint).with_source(failing.error)
            }
            None => Error::new(ErrorKind::Timeout, hint),
        }
    }

    pub(super) fn report(&self) -> ReplicaReport {
        let progress = self.0.progress.borrow();
        ReplicaReport {
            reached: progress.reached,
            outstanding: progress.written - progress.brought,
            age: progress.synced.map(|synced| synced.elapsed()),
            failing: progress.failing.as_ref().map(|failing| ReplicaFailure {
                since: failing.since.elapsed(),
                error: failing.error.clone(),
            }),
        }
    }

    /// Ends the task; the file is closed when [`Follower::ended`] returns.
    pub(super) fn end(&self) {
        self.0.ending.send_replace(true);
    }

    /// The sign that the file is closed.
    pub(super) fn ended(&self) -> Ended {
        Ended(self.0.progress.subscribe())
    }
}

/// The sign that a file is closed.
#[derive(Debug)]
pub(super) struct Ended(watch::Receiver<Progress>);

impl Ended {
    pub(super) fn is_given(&self) -> bool {
        self.0.borrow().ended
    }

    pub(super) async fn wait(&mut self) {
        // An error means the same.
        let _ = self.0.wait_for(|progress| progress.ended).await;
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.end();
    }
}

async fn follow(shared: Arc<Shared>, syncer: Syncer) {
    let _end = End(&shared);
    // Dropped before that: the file is closed before anybody is told so.
    let mut syncer = syncer;
    let mut ending = shared.ending.subscribe();
    // What was just opened may be of yesterday.
    loop {
        let (begun, written) = (Instant::now(), shared.progress.borrow().written);
        let synced = syncer.sync().await;
        if *ending.borrow_and_update() {
            break;
        }
        shared.settle(begun, written, synced);
        tokio::select! {
            () = shared.rest() => {}
            _ = ending.wait_for(|ending| *ending) => break,
        }
    }
}

impl Shared {
    fn settle(&self, begun: Instant, written: u64, synced: Result<Option<FrameNo>>) {
        self.progress.send_modify(|progress| match synced {
            Ok(reached) => {
                if let Some(failing) = progress.failing.take() {
                    tracing::info!(after = ?failing.since.elapsed(), "the replica follows its primary again");
                }
                progress.reached = reached;
                progress.synced = Some(begun);
                progress.brought = written;
                self.is_behind.store(progress.written > written, Ordering::Release);
            }
            Err(error) => match &mut progress.failing {
                Some(failing) => {
                    failing.times = failing.times.saturating_add(1);
                    failing.error = error;
                }
                failing @ None => {
                    tracing::warn!(%error, "the replica cannot follow its primary");
                    *failing = Some(Failing { since: Instant::now(), times: 1, error });
                }
            },
        });
    }

    /// Waits until the next sync is due, or is asked for. While the primary is gone, asking does not hurry it.
    async fn rest(&self) {
        let failed = self.progress.borrow().failing.as_ref().map_or(0, |failing| failing.times);
        if failed == 0 {
            tokio::select! {
                () = sleep(self.interval) => {}
                () = self.asked.notified() => {}
            }
            return;
        }
        let longest = match self.is_behind.load(Ordering::Acquire) {
            true => LONGEST_PAUSE,
            false => self.interval.max(LONGEST_PAUSE),
        };
        let pause = FIRST_PAUSE.saturating_mul(1 << failed.min(20)).min(longest);
        // Not all replicas at the same moment.
        let pause = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        if pause <= LONGEST_PAUSE {
            sleep(pause).await;
            return;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = self.asked.notified() => {}
        }
    }
}

/// The end of the task, by whatever way: nobody is left waiting.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.progress.send_modify(|progress| progress.ended = true);
    }
}
