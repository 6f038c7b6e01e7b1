//! Concurrent workers on due jobs; one of them dies.

use std::{sync::Arc, time::Duration};

use chrono::{TimeDelta, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use larder::{Filter, prelude::*};
use tokio::sync::Mutex;

use super::line;

const WORKERS: usize = 4;
const LEASE: TimeDelta = TimeDelta::seconds(2);
const USAGE: TokenUsage = TokenUsage { input: 120, output: 30, reasoning: 0, cached_input: 0, total: 150 };

/// Makes all jobs due, lets one worker die with a job in hand and the others do the rest.
pub(crate) async fn run(larder: &Larder, ada: &UserScope, grace: &UserScope) -> Result<(), Error> {
    let due = make_due(ada).await? + make_due(grace).await?;
    line(format!("{due} jobs are due, of both users."));

    let scheduler = larder.system().jobs();
    let Some(lost) = scheduler.claim_due(claim("worker 0", 1)).await?.pop() else {
        return Err(Error::not_found("Job"));
    };
    line("Worker 0 claims one under a lease of 2 s, with the fencing number 1, and dies.");

    let done = work(larder, due).await?;
    let twice = done.iter().filter(|id| done.iter().filter(|other| other == id).count() > 1).count();
    line(format!("{WORKERS} workers at once claim and complete all {due}, {twice} of them twice."));

    let taken_over = ada.jobs().get(lost.job.id).await?.or(grace.jobs().get(lost.job.id).await?);
    let token = taken_over.as_ref().map_or(0, |job| job.lock_token);
    line(format!(
        "The dead worker's job was taken over when its lease had ended, with the fencing number {token}."
    ));
    match scheduler.complete(&lost.lease, Completion { usage: USAGE, next_run_at: None }).await {
        Ok(_) => line("Worker 0 comes back and completes it: DONE"),
        Err(error) => line(format!("Worker 0 comes back and completes it: {error}")),
    }
    let booked = total_tokens(ada).await? + total_tokens(grace).await?;
    line(format!("Tokens booked: {booked}, {} for each job, once.", USAGE.total));
    Ok(())
}

async fn make_due(scope: &UserScope) -> Result<usize, Error> {
    #[allow(clippy::disallowed_methods)] // the program is where time comes from
    let now = Utc::now();
    let jobs = scope.jobs().select(Filter::always(), Vec::new(), None).await?;
    for job in &jobs {
        scope.jobs().activate(job.id).await?;
        scope.jobs().schedule(job.id, Some(now)).await?;
    }
    Ok(jobs.len())
}

fn claim(worker: &str, limit: u32) -> ClaimDue {
    ClaimDue { limit, lease: LEASE, worker: worker.to_owned() }
}

/// Workers until all due jobs are completed; returns the jobs in the order of their completion.
async fn work(larder: &Larder, due: usize) -> Result<Vec<JobId>, Error> {
    let done = Arc::new(Mutex::new(Vec::new()));
    let progress = progress(due);
    let mut workers = Vec::new();
    for number in 1..=WORKERS {
        let (scheduler, done, progress) = (larder.system().jobs(), Arc::clone(&done), progress.clone());
        workers.push(tokio::spawn(async move {
            let name = format!("worker {number}");
            while done.lock().await.len() < due {
                let claimed = scheduler.claim_due(claim(&name, 2)).await?;
                if claimed.is_empty() {
                    // Nothing is due: what is left is under the dead worker's lease.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                for ClaimedJob { job, lease } in claimed {
                    scheduler.complete(&lease, Completion { usage: USAGE, next_run_at: None }).await?;
                    done.lock().await.push(job.id);
                    progress.inc(1);
                }
            }
            Ok::<_, Error>(())
        }));
    }
    for worker in workers {
        worker
            .await
            .map_err(|error| Error::new(ErrorKind::Application, "a worker panicked").with_source(error))??;
    }
    progress.finish_and_clear();
    let done = done.lock().await.clone();
    Ok(done)
}

/// Shown on a terminal only, on standard error.
fn progress(due: usize) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "   {bar:20} {pos} of {len} jobs, {elapsed}: the last one waits for a lease to end",
    );
    let progress = ProgressBar::new(due as u64);
    match style {
        Ok(style) => progress.with_style(style),
        Err(_) => progress,
    }
}

async fn total_tokens(scope: &UserScope) -> Result<i64, Error> {
    let jobs = scope.jobs().select(Filter::always(), Vec::new(), None).await?;
    Ok(jobs.iter().map(|job| job.total_tokens).sum())
}
