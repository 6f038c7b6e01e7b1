//! One run of a job: from the claim to what is written down about it.

use std::{error::Error as StdError, future::Future, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use larder::prelude::*;
use tokio::time::timeout;

use crate::Settings;

/// From this many failures in a row on, the pause before the next attempt grows no more.
const MOST_DOUBLINGS: u32 = 10;

/// What runs jobs.
pub trait Runner: Send + Sync + 'static {
    /// Runs a job; `user` reaches what belongs to the job's user. A job whose worker dies is run again: what this does
    /// outside the database should bear that.
    fn run(&self, user: &UserScope, job: &Job) -> impl Future<Output = Result<Ran, Failure>> + Send;
}

/// Why a run failed: for the log. The user is told that it failed, not why.
pub type Failure = Box<dyn StdError + Send + Sync>;

/// A run that went well.
#[derive(Debug, Clone)]
pub struct Ran {
    /// What the assistant says about it.
    pub said: MessageContent,
    /// What it used.
    pub usage: TokenUsage,
    /// When the job is due next, unless the user has said otherwise meanwhile; never, when `None`.
    pub next_run_at: Option<DateTime<Utc>>,
}

/// A claimed job and what runs it.
pub(crate) struct Run<R> {
    pub(crate) system: SystemScope,
    pub(crate) runner: Arc<R>,
    pub(crate) settings: Settings,
    pub(crate) job: Job,
    pub(crate) lease: Lease,
}

impl<R: Runner> Run<R> {
    /// Runs the job and writes down how that ended.
    pub(crate) async fn run(self) {
        let user = self.system.user(self.job.user_id);
        let ran = timeout(self.settings.run_limit, self.runner.run(&user, &self.job)).await;
        let id = self.job.id;
        let written = match ran.unwrap_or_else(|too_long| Err(too_long.into())) {
            Ok(ran) => self.complete(&ran).await,
            Err(failure) => {
                tracing::warn!(job = %id, %failure, "the run failed");
                self.fail().await
            }
        };
        match written {
            Ok(()) => tracing::info!(job = %id, "the run has ended"),
            Err(error) if is_nobodys(&error) => {
                tracing::info!(job = %id, %error, "the job was taken over or deleted; nothing was written");
            }
            Err(error) => {
                tracing::error!(job = %id, ?error, "how it ended is lost: the job runs again when its lease has ended");
            }
        }
    }

    /// The message, the tokens and the end of the lease, all or nothing: a worker that has lost its lease says nothing.
    async fn complete(&self, ran: &Ran) -> larder::Result<()> {
        self.system
            .transaction(|tx| async move {
                let user = tx.user(self.job.user_id);
                let next_run_at = self.due_next(&user, ran.next_run_at).await?;
                let completion = Completion { usage: ran.usage, next_run_at };
                tx.jobs().complete(&self.lease, completion).await?;
                self.say(&user, MessageSource::Scheduler, ran.said.clone()).await
            })
            .await
    }

    /// As [`Run::complete`]: when to try again, the end of the lease, and that it failed.
    async fn fail(&self) -> larder::Result<()> {
        self.system
            .transaction(|tx| async move {
                let user = tx.user(self.job.user_id);
                let pause = pause(self.settings.first_retry, self.failures_in_a_row(&user).await?);
                let retry_at = tx.context().now().checked_add_signed(pause);
                let retry_at = self.due_next(&user, retry_at).await?;
                let job = tx.jobs().fail(&self.lease, retry_at).await?;
                let said = match job.next_run_at {
                    Some(at) => format!("The run failed. It is tried again at {}.", at.to_rfc3339()),
                    None => "The run failed.".to_owned(),
                };
                self.say(&user, MessageSource::ErrorHandler, said.into()).await
            })
            .await
    }

    /// When the job is due next: as proposed, unless the user has set another time since the claim.
    async fn due_next(
        &self,
        user: &UserScope,
        proposed: Option<DateTime<Utc>>,
    ) -> larder::Result<Option<DateTime<Utc>>> {
        let set = user.jobs().get(self.job.id).await?.map(|job| job.next_run_at);
        Ok(set.filter(|set| *set != self.job.next_run_at).unwrap_or(proposed))
    }

    async fn say(
        &self,
        user: &UserScope,
        source: MessageSource,
        content: MessageContent,
    ) -> larder::Result<()> {
        let message = NewMessage::new(self.job.id, MessageRole::Assistant, content);
        user.messages().append(NewMessage { source: Some(source), ..message }).await?;
        Ok(())
    }

    /// How many of the job's last messages say that a run failed.
    async fn failures_in_a_row(&self, user: &UserScope) -> larder::Result<u32> {
        let of_job = Message::JOB_ID.eq(self.job.id)?;
        let last =
            vec![Message::CREATED_AT.order(SortDirection::Desc), Message::ID.order(SortDirection::Desc)];
        let messages = user.messages().select(of_job, last, Some(MOST_DOUBLINGS.into())).await?;
        let failed = |message: &&Message| message.source == Some(MessageSource::ErrorHandler);
        Ok(messages.iter().take_while(failed).map(|_| 1).sum())
    }
}

/// Doubled with each failure before this one.
fn pause(first: Duration, failures_before: u32) -> TimeDelta {
    TimeDelta::from_std(first.saturating_mul(1 << failures_before)).unwrap_or(TimeDelta::MAX)
}

/// The job is not, or no longer, this worker's.
fn is_nobodys(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::LeaseLost { .. } | ErrorKind::NotFound { .. } | ErrorKind::MissingParent { .. }
    )
}
