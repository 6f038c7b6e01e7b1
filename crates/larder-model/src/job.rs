//! Jobs: what a user wants done, in plain language, and when.

use std::ops::Deref;

use chrono::{DateTime, Utc};
use larder_core::{Assign, Error, Filter, Repo, Result, UserScope};
use larder_derive::{Entity, EnumText};
use serde::{Deserialize, Serialize};

use crate::{JobCounts, UserId, statistics::TOKENS};

/// Whether a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumText)]
#[entity(name = "job_status", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    /// It runs when it is due.
    Active,
    /// It does not run until it is activated.
    Paused,
    /// It is kept to look at.
    Archived,
}

/// A scheduled job.
///
/// A worker that runs it holds a lease: until `locked_until`, under the fencing number `lock_token`, which grows with every
/// claim. See [`Scheduler`](crate::Scheduler).
#[derive(Debug, Clone, PartialEq, Serialize, Entity)]
#[entity(table = "jobs")]
#[entity(
    unique = [user_id, id],
    index = [user_id, created_at, id],
    index = [next_run_at, id] where status = "ACTIVE"
)]
pub struct Job {
    /// The id.
    pub id: JobId,
    /// Whose it is.
    #[entity(owner)]
    pub user_id: UserId,
    /// What is to be done, in plain language.
    #[entity(length(5, 1000), sort, search)]
    pub definition: String,
    /// Whether it runs.
    #[entity(default = JobStatus::Paused, filter)]
    pub status: JobStatus,
    /// When it is due next; never, when `None`.
    #[entity(sort)]
    pub next_run_at: Option<DateTime<Utc>>,
    /// Until when a worker holds it.
    #[entity(managed)]
    pub locked_until: Option<DateTime<Utc>>,
    /// Which worker holds it.
    #[entity(managed, length(1, 255))]
    pub lock_owner: Option<String>,
    /// The fencing number of the last claim; 0 when it was never claimed.
    #[entity(managed, default = 0, range(0..))]
    pub lock_token: i64,
    /// Input tokens used by all runs.
    #[entity(managed, default = 0, range(0..))]
    pub input_tokens: i64,
    /// Output tokens used by all runs.
    #[entity(managed, default = 0, range(0..))]
    pub output_tokens: i64,
    /// Reasoning tokens used by all runs.
    #[entity(managed, default = 0, range(0..))]
    pub reasoning_tokens: i64,
    /// Cached input tokens used by all runs.
    #[entity(managed, default = 0, range(0..))]
    pub cached_input_tokens: i64,
    /// All tokens used by all runs.
    #[entity(managed, default = 0, range(0..))]
    pub total_tokens: i64,
    /// When it was created.
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[entity(sort)]
    pub updated_at: DateTime<Utc>,
}

impl Job {
    /// The tokens used by all runs.
    pub fn usage(&self) -> TokenUsage {
        TokenUsage {
            input: self.input_tokens,
            output: self.output_tokens,
            reasoning: self.reasoning_tokens,
            cached_input: self.cached_input_tokens,
            total: self.total_tokens,
        }
    }
}

/// Tokens used; each at least 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenUsage {
    /// Input tokens.
    pub input: i64,
    /// Output tokens.
    pub output: i64,
    /// Reasoning tokens.
    pub reasoning: i64,
    /// Input tokens that came from a cache.
    pub cached_input: i64,
    /// All tokens, as the provider counts them.
    pub total: i64,
}

impl TokenUsage {
    /// The assignments that book it.
    pub(crate) fn booking(&self) -> Result<Vec<(usize, Assign)>> {
        let counts = [self.input, self.output, self.reasoning, self.cached_input, self.total];
        TOKENS
            .into_iter()
            .zip(counts)
            .map(|(field, count)| match count {
                0.. => Ok(field.add(count)),
                _ => {
                    let reason = format!("must be at least 0, not {count}");
                    Err(Error::invalid("TokenUsage", format!("{field:?}"), reason))
                }
            })
            .collect()
    }
}

/// A user's jobs. It is a [`Repo`] of [`Job`] and more. With what belongs to them: [`JobRelations`](crate::JobRelations).
///
/// ```
/// use larder::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// # let larder = Larder::open("memory:").await?;
/// # larder.migrate().await?;
/// # let ada = larder.system().users().create(NewUser::new()).await?;
/// # let mine = larder.user(ada.id);
/// let jobs = mine.jobs();
/// let job = jobs.create(NewJob::new("Send me the weather every morning")).await?;
/// assert_eq!(job.status, JobStatus::Paused);
/// jobs.schedule(job.id, Some(job.created_at)).await?;
/// jobs.activate(job.id).await?;
///
/// // A patch tells "leave it", "set it to null" and "set it to this" apart.
/// let patch = JobPatch { next_run_at: Change::Set(None), ..JobPatch::default() };
/// assert_eq!(jobs.update(job.id, patch).await?.status, JobStatus::Active);
///
/// let page = jobs.list(ListJobs { search: Some("WEATHER".into()), ..ListJobs::default() }).await?;
/// assert_eq!((page.items.len(), page.has_next), (1, false));
///
/// let with = jobs.get_with(job.id, JobRelations::all()).await?.expect("it is there");
/// assert_eq!(with.loaded.owner.map(|owner| owner.id), Some(ada.id));
/// assert!(with.loaded.messages.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Jobs(Repo<Job>);

impl Jobs {
    pub(crate) fn new(scope: &UserScope) -> Self {
        Self(scope.repo())
    }

    /// Lets it run when it is due.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn activate(&self, id: JobId) -> Result<Job> {
        self.set(id, Job::STATUS.set(JobStatus::Active)?).await
    }

    /// Keeps it from being claimed. A worker that holds it may still complete it.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn pause(&self, id: JobId) -> Result<Job> {
        self.set(id, Job::STATUS.set(JobStatus::Paused)?).await
    }

    /// Puts it away; as [`Jobs::pause`] for workers.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn archive(&self, id: JobId) -> Result<Job> {
        self.set(id, Job::STATUS.set(JobStatus::Archived)?).await
    }

    /// Sets when it is due next: at that instant; never, when `None`.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn schedule(&self, id: JobId, next_run_at: Option<DateTime<Utc>>) -> Result<Job> {
        self.set(id, Job::NEXT_RUN_AT.set(next_run_at)?).await
    }

    /// How many of the user's jobs there are of each status.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn count_by_status(&self) -> Result<JobCounts> {
        Ok(JobCounts::of(self.count_by(Job::STATUS, Filter::always()).await?))
    }

    /// The tokens that all jobs of the user have used; those of deleted jobs are gone with them.
    ///
    /// # Errors
    /// `Invalid` with the field when a sum is no `i64`.
    pub async fn usage(&self) -> Result<TokenUsage> {
        Ok(TokenUsage::of(self.sums(Filter::always(), TOKENS).await?.sums))
    }

    async fn set(&self, id: JobId, assignment: (usize, Assign)) -> Result<Job> {
        let changed = self.update_if(id, Filter::always(), vec![assignment]).await?;
        changed.ok_or_else(|| Error::not_found("Job"))
    }
}

impl Deref for Jobs {
    type Target = Repo<Job>;

    fn deref(&self) -> &Repo<Job> {
        &self.0
    }
}
