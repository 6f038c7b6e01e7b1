//! Workers in several processes share the due jobs, and processes are killed in the middle: each job is done once (52 of
//! `CASES.md`), also what a killed worker held (59).
//!
//! With the environment variable `LARDER_CLAIMS` there are so many jobs, 8 processes of 8 workers and 8 kills; without it
//! 2,000 jobs, 4 processes and 2 kills.

use std::{
    collections::BTreeMap,
    fmt,
    os::unix::process::ExitStatusExt,
    sync::mpsc::{Receiver, Sender, channel},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use larder::{ErrorKind, Filter, Larder, model::*};
use larder_testing::Postgres;
use tokio::time::MissedTickBehavior;

use crate::child::{TestProcess, URL, tell};

/// Tells [`workers`] the number of its process.
const PROCESS: &str = "LARDER_FAULTS_PROCESS";
/// How many work in each process.
const TASKS: usize = 8;
/// How many jobs one claims at once.
const LIMIT: u32 = 10;
/// How long one holds them.
const LEASE: TimeDelta = TimeDelta::seconds(2);
/// How often one that has nothing to do looks for more.
const POLL: Duration = Duration::from_millis(50);
/// Whose the jobs are.
const USERS: usize = 50;
/// Longer than any silence of the workers, and than a takeover takes.
const PATIENCE: Duration = Duration::from_secs(30);

// What a worker tells: that it was given a lease, that its completion was accepted, that it was refused because the lease was
// taken over, that a call was answered `Busy`.
const CLAIMED: &str = "claimed";
const COMPLETED: &str = "completed";
const LOST: &str = "lost";
const BUSY: &str = "busy";

/// Not a test of its own: what the processes run, until nothing is left to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers() {
    let (Ok(url), Ok(process)) = (std::env::var(URL), std::env::var(PROCESS)) else { return };
    let larder = Larder::open(&url).await.unwrap();
    let workers = (0..TASKS).map(|task| tokio::spawn(work(larder.clone(), format!("{process}.{task}"))));
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap().unwrap();
    }
    larder.close().await.unwrap();
}

/// Claims and completes, one token a job, until all jobs are completed; tells what it was told.
async fn work(larder: Larder, worker: String) -> larder::Result<()> {
    let (scheduler, jobs) = (larder.system().jobs(), larder.system().all_users::<Job>());
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let completion =
        Completion { usage: TokenUsage { total: 1, ..TokenUsage::default() }, next_run_at: None };
    loop {
        let claim = ClaimDue { limit: LIMIT, lease: LEASE, worker: worker.clone() };
        let claimed = until_answered(|| scheduler.claim_due(claim.clone())).await?;
        let held: Vec<_> = claimed.iter().map(|claimed| Held::by(&worker, claimed.lease)).collect();
        held.iter().for_each(|held| tell(format_args!("{CLAIMED} {held}")));
        for held in &held {
            match until_answered(|| scheduler.complete(&held.lease, completion)).await {
                Ok(_) => tell(format_args!("{COMPLETED} {held}")),
                Err(error) if matches!(error.kind(), ErrorKind::LeaseLost { .. }) => {
                    tell(format_args!("{LOST} {held}"));
                }
                Err(error) => return Err(error),
            }
        }
        if held.is_empty() {
            if jobs.count(Job::NEXT_RUN_AT.is_not_null()).await? == 0 {
                return Ok(());
            }
            poll.tick().await;
        }
    }
}

/// Asks again while others hold the file for so long that the answer is `Busy`: then nothing was done.
async fn until_answered<T, F: Future<Output = larder::Result<T>>>(ask: impl Fn() -> F) -> larder::Result<T> {
    loop {
        match ask().await {
            Err(error) if *error.kind() == ErrorKind::Busy => tell(BUSY),
            answer => return answer,
        }
    }
}

/// A lease, and the worker that it was given to.
#[derive(Debug, Clone, PartialEq)]
struct Held {
    worker: String,
    lease: Lease,
}

impl Held {
    fn by(worker: &str, lease: Lease) -> Self {
        Self { worker: worker.to_owned(), lease }
    }

    fn parse(text: &str) -> Option<Self> {
        let [worker, job, token, until] = text.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let locked_until = DateTime::from_timestamp_micros(until.parse().ok()?)?;
        Some(Self::by(worker, Lease { job_id: job.parse().ok()?, token: token.parse().ok()?, locked_until }))
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worker, lease: Lease { job_id, token, locked_until } } = self;
        write!(f, "{worker} {job_id} {token} {}", locked_until.timestamp_micros())
    }
}

/// How much is done by how many.
#[derive(Debug, Clone, Copy)]
struct Scale {
    jobs: usize,
    processes: usize,
    kills: usize,
}

impl Scale {
    fn asked() -> Self {
        match std::env::var("LARDER_CLAIMS") {
            Ok(jobs) => Self { jobs: jobs.parse().unwrap(), processes: 8, kills: 8 },
            Err(_) => Self { jobs: 2_000, processes: 4, kills: 2 },
        }
    }
}

/// The processes, and what they tell.
struct Workshop {
    url: String,
    /// By number; a process that was killed stays in its place.
    processes: Vec<(TestProcess, bool)>,
    running: usize,
    sender: Sender<(usize, Option<String>)>,
    receiver: Receiver<(usize, Option<String>)>,
}

impl Workshop {
    fn open(url: &str, processes: usize) -> Self {
        let (sender, receiver) = channel();
        let mut workshop = Self { url: url.to_owned(), processes: Vec::new(), running: 0, sender, receiver };
        (0..processes).for_each(|_| workshop.start());
        workshop
    }

    fn start(&mut self) {
        let number = self.processes.len();
        let (process, lines) =
            TestProcess::start("claims::workers", &self.url, (PROCESS, number.to_string()));
        let sender = self.sender.clone();
        std::thread::spawn(move || {
            for told in lines.map(Some).chain([None]) {
                // Nobody listens any more when the test has failed.
                let _ = sender.send((number, told));
            }
        });
        self.processes.push((process, false));
        self.running += 1;
    }

    /// Kills a process and starts another in its place.
    fn replace(&mut self, number: usize) {
        let (process, is_killed) = &mut self.processes[number];
        process.kill();
        *is_killed = true;
        self.start();
    }

    /// What is told next, and by which process; `None` when all have ended.
    fn next(&mut self) -> Option<(usize, String)> {
        while self.running > 0 {
            let (number, told) = self.receiver.recv_timeout(PATIENCE).expect("the workers go on");
            match told {
                Some(told) => return Some((number, told)),
                None => self.has_ended(number),
            }
        }
        None
    }

    fn has_ended(&mut self, number: usize) {
        self.running -= 1;
        let (process, is_killed) = &mut self.processes[number];
        let status = process.ended();
        let as_meant = if *is_killed { status.signal() == Some(9) } else { status.success() };
        assert!(as_meant, "process {number} ended by itself, and not because all was done: {status}");
    }
}

/// All that the workers were told.
#[derive(Debug, Default)]
struct Account {
    /// The leases that were given, by job and fencing number.
    given: BTreeMap<JobId, BTreeMap<i64, DateTime<Utc>>>,
    /// The jobs whose completion was acknowledged.
    completed: BTreeMap<JobId, Held>,
    lost: Vec<Lease>,
    busy: usize,
}

impl Account {
    fn add(&mut self, told: &str) {
        if told == BUSY {
            self.busy += 1;
            return;
        }
        let (what, held) = told.split_once(' ').unwrap();
        let held = Held::parse(held).unwrap_or_else(|| panic!("not understood: {told}"));
        let Lease { job_id, token, locked_until } = held.lease;
        match what {
            CLAIMED => {
                let earlier = self.given.entry(job_id).or_default().insert(token, locked_until);
                assert_eq!(earlier, None, "a lease was given to two workers, one of them {held}");
            }
            COMPLETED => {
                let other = self.completed.insert(job_id, held.clone());
                assert_eq!(other, None, "a job was completed by two workers, one of them {held}");
            }
            LOST => self.lost.push(held.lease),
            _ => panic!("not understood: {told}"),
        }
    }

    /// Checks that what the workers were told is what there is.
    fn check(&self, jobs: &[Job], unheard_at_most: usize) {
        for job in jobs {
            let is_free = job.next_run_at.is_none() && job.locked_until.is_none() && job.lock_owner.is_none();
            assert!(is_free, "a job is not completed: {job:?}");
            assert_eq!(job.total_tokens, 1, "a job's completion was not accepted once: {job:?}");
            if let Some(held) = self.completed.get(&job.id) {
                assert_eq!(job.lock_token, held.lease.token, "completed while another held it: {job:?}");
            }
        }
        let tokens: BTreeMap<_, _> = jobs.iter().map(|job| (job.id, job.lock_token)).collect();
        for lease in &self.lost {
            assert!(tokens[&lease.job_id] > lease.token, "a lease is lost that nobody took over: {lease:?}");
        }
        let unheard = jobs.len() - self.completed.len();
        assert!(unheard <= unheard_at_most, "{unheard} completions were acknowledged to nobody");
    }

    /// How long after a lease's end its job was taken over, for each that was.
    fn takeovers(&self) -> Vec<TimeDelta> {
        let ends = self.given.values().flat_map(|leases| leases.iter().zip(leases.iter().skip(1)));
        // What is between two leases was given to a worker that was killed before it could tell.
        let adjacent = ends.filter(|((earlier, _), (later, _))| **later == **earlier + 1);
        adjacent.map(|((_, end), (_, next_end))| *next_end - LEASE - *end).collect()
    }
}

async fn killed_workers_leave_each_job_done_once(what: &str, url: &str) {
    let Scale { jobs, processes, kills } = Scale::asked();
    let larder = Larder::open(url).await.unwrap();
    larder.migrate().await.unwrap();
    let owners = due_jobs(&larder, jobs).await.unwrap();
    let begun = Instant::now();
    let account = tokio::task::block_in_place(|| {
        let (mut account, mut killed) = (Account::default(), 0);
        let mut workshop = Workshop::open(url, processes);
        while let Some((process, told)) = workshop.next() {
            account.add(&told);
            // At even distances, the process that was the last to complete one: it works, and holds more of them.
            if killed < kills && account.completed.len() > (killed + 1) * jobs / (kills + 1) {
                workshop.replace(process);
                killed += 1;
            }
        }
        assert_eq!(killed, kills);
        account
    });
    let took = begun.elapsed();
    let mut done = Vec::new();
    for owner in owners {
        done.extend(larder.user(owner).jobs().select(Filter::always(), Vec::new(), None).await.unwrap());
    }
    assert_eq!(done.len(), jobs);
    // Each task of a killed process had at most one completion under way.
    account.check(&done, kills * TASKS);
    let takeovers = account.takeovers();
    assert!(!takeovers.is_empty(), "the killed held nothing: then this proves nothing");
    let (soonest, latest) = (takeovers.iter().min().unwrap(), takeovers.iter().max().unwrap());
    assert!(*soonest >= TimeDelta::zero(), "a lease was taken over before it ended: {soonest}");
    assert!(latest.to_std().unwrap() < PATIENCE, "a job of a killed worker waited for {latest}");
    println!(
        "{what}: {jobs} jobs, {processes} processes of {TASKS} workers, {kills} processes killed, {:.1} s: each job \
         completed once by the database's account; {} completions acknowledged, {} of the killed not; {} leases \
         taken over, the last {} ms after its end; {} completions refused to a worker that was too late; {} calls \
         answered `Busy`",
        took.as_secs_f64(),
        account.completed.len(),
        jobs - account.completed.len(),
        done.iter().map(|job| job.lock_token - 1).sum::<i64>(),
        latest.num_milliseconds(),
        account.lost.len(),
        account.busy,
    );
    larder.close().await.unwrap();
}

/// This many jobs that are due, a microsecond one after the other, of users in turn.
async fn due_jobs(larder: &Larder, count: usize) -> larder::Result<Vec<UserId>> {
    let mut owners = Vec::new();
    let now = larder.system().context().now();
    for user in 0..USERS {
        let owner = larder.system().users().create(NewUser::default()).await?.id;
        let jobs = (user..count).step_by(USERS).map(|number| NewJob {
            status: JobStatus::Active,
            next_run_at: Some(now - TimeDelta::microseconds((count - number) as i64)),
            ..NewJob::new(format!("job {number}"))
        });
        larder.user(owner).jobs().create_many(jobs).await?;
        owners.push(owner);
    }
    Ok(owners)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_job_in_a_file_is_done_once_though_workers_are_killed() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("file:{}", directory.path().join("claims.db").display());
    killed_workers_leave_each_job_done_once("libSQL file", &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_job_in_postgresql_is_done_once_though_workers_are_killed() {
    let database = Postgres::shared().await.unwrap().database().await.unwrap();
    let url = format!("{}?lanes=on", database.url());
    killed_workers_leave_each_job_done_once("PostgreSQL", &url).await;
}
