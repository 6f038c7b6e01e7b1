//! The worker: claims due jobs and runs them side by side.

use std::{pin::pin, sync::Arc, time::Duration};

use chrono::TimeDelta;
use larder::prelude::*;
use tokio::{
    task::{JoinError, JoinSet},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    App, Settings,
    run::{Run, Runner},
};

/// The most jobs in hand at once.
const SLOTS: u32 = 16;

/// How much longer than a run the lease lasts: for writing down how it ended.
const MARGIN: Duration = Duration::from_secs(30);

/// Claims due jobs and runs them.
pub(crate) struct Worker<R> {
    pub(crate) app: App,
    pub(crate) runner: Arc<R>,
    pub(crate) settings: Settings,
}

impl<R: Runner> Worker<R> {
    /// Works until `stop`, and then until what is in hand has ended. Dropping it drops what is in hand.
    pub(crate) async fn work(self, stop: &CancellationToken) {
        let mut runs = JoinSet::new();
        let mut ticks = interval(self.settings.poll);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopped = pin!(stop.cancelled());
        loop {
            tokio::select! {
                biased;
                () = &mut stopped => break,
                Some(ended) = runs.join_next() => log_panic(ended),
                () = self.app.wake.notified() => {}
                _ = ticks.tick() => {}
            }
            // Outside the select: a claim that is dropped half-way would keep its jobs until their leases end.
            self.fill(&mut runs).await;
        }
        tracing::info!(in_hand = runs.len(), "the worker claims no more");
        while let Some(ended) = runs.join_next().await {
            log_panic(ended);
        }
    }

    /// Fills the free slots with due jobs.
    async fn fill(&self, runs: &mut JoinSet<()>) {
        let in_hand = u32::try_from(runs.len()).unwrap_or(u32::MAX);
        let free = SLOTS.saturating_sub(in_hand);
        if free == 0 {
            return;
        }
        match self.claim(free).await {
            Ok(claimed) => {
                for ClaimedJob { job, lease } in claimed {
                    let (system, runner) = (self.app.larder.system(), Arc::clone(&self.runner));
                    runs.spawn(Run { system, runner, settings: self.settings, job, lease }.run());
                }
            }
            Err(error) => tracing::warn!(?error, "cannot claim; tried again at the next tick"),
        }
    }

    async fn claim(&self, limit: u32) -> larder::Result<Vec<ClaimedJob>> {
        let lease = TimeDelta::from_std(self.settings.run_limit.saturating_add(MARGIN));
        let lease = lease.unwrap_or(TimeDelta::MAX);
        let worker = format!("job-service {}", std::process::id());
        self.app.larder.system().jobs().claim_due(ClaimDue { limit, lease, worker }).await
    }
}

fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a run panicked: the job runs again when its lease has ended");
    }
}
