//! Running due jobs under leases.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use larder_core::{Error, Filter, Result, SortDirection, SystemScope, Unscoped};

use crate::{Job, JobCounts, JobId, JobStatus, TokenUsage, UserId, statistics::TOKENS};

/// The longest lease that can be asked for.
const LONGEST_LEASE: TimeDelta = TimeDelta::days(1);

/// Due jobs of all users, for workers.
///
/// A worker claims jobs and so holds a lease on each: nobody else gets them until the lease ends. When it ends without the
/// job being completed or failed (the worker died), the job is due again, and the next claim carries a higher fencing
/// number: from then on the first worker's calls answer `LeaseLost` and change nothing.
///
/// All instants come from the clock given to larder, never from the database.
///
/// ```
/// use chrono::TimeDelta;
/// use larder::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// # let larder = Larder::open("memory:").await?;
/// # larder.migrate().await?;
/// # let ada = larder.system().users().create(NewUser::new()).await?;
/// # let mine = larder.user(ada.id);
/// let new = NewJob {
///     status: JobStatus::Active,
///     next_run_at: Some(mine.context().now()),
///     ..NewJob::new("Send me the weather every morning")
/// };
/// mine.jobs().create(new).await?;
///
/// let scheduler = larder.system().jobs();
/// let claim = ClaimDue { limit: 10, lease: TimeDelta::minutes(1), worker: "ann".into() };
/// for ClaimedJob { job, lease } in scheduler.claim_due(claim.clone()).await? {
///     // … the work; then, at once: the tokens, when it is due next, and the end of the lease.
///     let usage = TokenUsage { input: 120, output: 30, total: 150, ..TokenUsage::default() };
///     let tomorrow = job.next_run_at.map(|due| due + TimeDelta::days(1));
///     let job = scheduler.complete(&lease, Completion { usage, next_run_at: tomorrow }).await?;
///     assert_eq!(job.usage(), usage);
///
///     // A run ends once.
///     let again = scheduler.complete(&lease, Completion::default()).await.unwrap_err();
///     assert!(matches!(again.kind(), ErrorKind::LeaseLost { .. }));
/// }
/// assert_eq!(scheduler.claim_due(claim).await?, []);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Scheduler(Unscoped<Job>);

/// A request for due jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimDue {
    /// The most jobs to claim.
    pub limit: u32,
    /// For how long; more than zero, at most a day.
    pub lease: TimeDelta,
    /// The worker's name, 1 to 255 characters.
    pub worker: String,
}

/// A claimed job.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    /// The job, as the claim left it.
    pub job: Job,
    /// The right to complete it.
    pub lease: Lease,
}

/// The right to complete a job, until it ends or is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job_id: JobId,
    /// The fencing number.
    pub token: i64,
    /// When the lease ends.
    pub locked_until: DateTime<Utc>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Completion {
    /// The tokens that it used.
    pub usage: TokenUsage,
    /// When the job is due next; never, when `None`.
    pub next_run_at: Option<DateTime<Utc>>,
}

impl Scheduler {
    pub(crate) fn new(scope: &SystemScope) -> Self {
        Self(scope.all_users())
    }

    /// Claims due jobs: active, `next_run_at` reached (an instant is reached when the clock shows it), and held by nobody.
    /// The longest due come first, users taking turns, so that one user's backlog does not keep another's job waiting.
    ///
    /// # Errors
    /// `Invalid` when the lease or the worker's name is out of range.
    pub async fn claim_due(&self, claim: ClaimDue) -> Result<Vec<ClaimedJob>> {
        let now = self.0.context().now();
        let locked_until = end_of_lease(now, claim.lease)?;
        let free = Job::LOCKED_UNTIL.is_null().or(Job::LOCKED_UNTIL.le(Some(now))?);
        let due = Filter::always()
            .and(Job::STATUS.eq(JobStatus::Active)?)
            .and(Job::NEXT_RUN_AT.le(Some(now))?)
            .and(free);
        let set = vec![
            Job::LOCKED_UNTIL.set(Some(locked_until))?,
            Job::LOCK_OWNER.set(Some(claim.worker))?,
            Job::LOCK_TOKEN.add(1),
        ];
        let order = vec![Job::NEXT_RUN_AT.order(SortDirection::Asc)];
        let jobs = self.0.claim(due, order, Some(Job::USER_ID), claim.limit, set).await?;
        let leased = |job: Job| {
            let lease = Lease { job_id: job.id, token: job.lock_token, locked_until };
            ClaimedJob { job, lease }
        };
        Ok(jobs.into_iter().map(leased).collect())
    }

    /// Makes a lease end later: `lease` from now. One that has ended is not brought back, even if nobody has taken it over.
    ///
    /// # Errors
    /// `LeaseLost`; `NotFound` when the job was deleted; `Invalid` when `lease` is out of range.
    pub async fn extend(&self, held: &Lease, lease: TimeDelta) -> Result<Lease> {
        let now = self.0.context().now();
        let locked_until = end_of_lease(now, lease)?;
        let guard = Job::LOCK_TOKEN.eq(held.token)?.and(Job::LOCKED_UNTIL.gt(Some(now))?);
        let set = vec![Job::LOCKED_UNTIL.set(Some(locked_until))?];
        self.finish(held, guard, set).await?;
        Ok(Lease { locked_until, ..*held })
    }

    /// Ends a run: books its tokens, sets when the job is due next, releases the lease; all of it or nothing. A run that
    /// took longer than its lease may still be completed as long as nobody has taken the job over.
    ///
    /// # Errors
    /// `LeaseLost`, also when it is repeated; `NotFound` when the job was deleted; `Invalid` when a count is negative or
    /// a sum is too large.
    pub async fn complete(&self, held: &Lease, completion: Completion) -> Result<Job> {
        let mut set = completion.usage.booking()?;
        set.push(Job::NEXT_RUN_AT.set(completion.next_run_at)?);
        self.release(held, set).await
    }

    /// Ends a run that failed: sets when to try again (never, when `None`), releases the lease.
    ///
    /// # Errors
    /// As [`Scheduler::complete`].
    pub async fn fail(&self, held: &Lease, retry_at: Option<DateTime<Utc>>) -> Result<Job> {
        self.release(held, vec![Job::NEXT_RUN_AT.set(retry_at)?]).await
    }

    /// How many jobs of all users there are of each status.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn count_by_status(&self) -> Result<JobCounts> {
        Ok(JobCounts::of(self.0.count_by(Job::STATUS, Filter::always()).await?))
    }

    /// The tokens that all jobs of each of these users have used: an entry for each user, nothing used by one who has no
    /// jobs or does not exist.
    ///
    /// # Errors
    /// `Invalid` with the field when a sum is no `i64`.
    pub async fn usage_by_user(
        &self,
        users: impl IntoIterator<Item = UserId>,
    ) -> Result<BTreeMap<UserId, TokenUsage>> {
        let mut usage: BTreeMap<_, _> = users.into_iter().map(|user| (user, TokenUsage::default())).collect();
        let theirs = Job::USER_ID.is_in(usage.keys().copied())?;
        let totals = self.0.sums_by(Job::USER_ID, theirs, TOKENS).await?;
        usage.extend(totals.into_iter().map(|(user, totals)| (user, TokenUsage::of(totals.sums))));
        Ok(usage)
    }

    async fn release(&self, held: &Lease, mut set: Vec<(usize, larder_core::Assign)>) -> Result<Job> {
        set.push(Job::LOCKED_UNTIL.set(None)?);
        set.push(Job::LOCK_OWNER.set(None)?);
        let guard = Job::LOCK_TOKEN.eq(held.token)?.and(Job::LOCKED_UNTIL.is_not_null());
        self.finish(held, guard, set).await
    }

    async fn finish(
        &self,
        held: &Lease,
        guard: Filter,
        set: Vec<(usize, larder_core::Assign)>,
    ) -> Result<Job> {
        match self.0.update_if(held.job_id, guard, set).await? {
            Some(job) => Ok(job),
            None => Err(self.0.explain(held.job_id, Error::lease_lost("Job")).await?),
        }
    }
}

fn end_of_lease(now: DateTime<Utc>, lease: TimeDelta) -> Result<DateTime<Utc>> {
    let end = now.checked_add_signed(lease).filter(|_| lease > TimeDelta::zero() && lease <= LONGEST_LEASE);
    end.ok_or_else(|| Error::invalid("Lease", "lease", "must be more than zero and at most a day"))
}
