//! The callers of a round: each makes one call after the other until the round is over.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use nix::sys::resource::{UsageWho, getrusage};
use uuid::Uuid;

use crate::{
    BULK, Contender, Failure, Key, Kind, Listed, PAGE, Seen, Workload,
    protocol::{Measured, Run, read_keys},
    text::{SEARCH, new_definition},
};

/// What the callers of a round share.
struct Round<C> {
    contender: Arc<C>,
    workload: Workload,
    keys: Arc<[Key]>,
    /// The tokens of the API keys of these jobs, for the workload that shows them.
    tokens: Arc<[String]>,
    deadline: Instant,
    /// How many operations there are to do; `u64::MAX` when only time counts.
    budget: u64,
    /// How many of them were taken.
    taken: AtomicU64,
    /// A caller failed.
    failed: AtomicBool,
}

/// Runs one round.
pub(crate) async fn run<C: Contender>(
    contender: &Arc<C>,
    keys: &Arc<[Key]>,
    tokens: &Arc<[String]>,
    run: &Run,
) -> Result<Measured, Failure> {
    let keys = match &run.keys {
        Some(path) => read_keys(Path::new(path))?.into(),
        None => Arc::clone(keys),
    };
    let budget = run.operations.unwrap_or(u64::MAX);
    let budget = if run.workload.kind() == Kind::Keyed { budget.min(keys.len() as u64) } else { budget };
    let (cpu, begun) = (cpu_time()?, Instant::now());
    let round = Arc::new(Round {
        contender: Arc::clone(contender),
        workload: run.workload,
        keys,
        tokens: Arc::clone(tokens),
        deadline: begun + Duration::from_secs_f64(run.seconds),
        budget,
        taken: AtomicU64::new(0),
        failed: AtomicBool::new(false),
    });
    let callers = (0..run.callers).map(|_| Arc::clone(&round));
    let ended = if C::BLOCKING { on_threads(callers) } else { as_tasks(callers).await };
    let seconds = begun.elapsed().as_secs_f64();
    let cpu = (cpu_time()? - cpu).as_secs_f64();
    let mut all = Calls::new()?;
    for calls in ended {
        all.add(calls?)?;
    }
    let latency = |nanoseconds: u64| nanoseconds as f64 / 1000.0;
    Ok(Measured {
        operations: all.operations,
        seconds,
        p50: latency(all.latencies.value_at_quantile(0.5)),
        p99: latency(all.latencies.value_at_quantile(0.99)),
        max: latency(all.latencies.max()),
        cpu,
    })
}

async fn as_tasks<C: Contender>(callers: impl Iterator<Item = Arc<Round<C>>>) -> Vec<Result<Calls, Failure>> {
    let tasks: Vec<_> = callers.map(|round| tokio::spawn(caller(round))).collect();
    let mut ended = Vec::new();
    for task in tasks {
        ended.push(task.await.unwrap_or_else(|panic| Err(panic.into())));
    }
    ended
}

fn on_threads<C: Contender>(callers: impl Iterator<Item = Arc<Round<C>>>) -> Vec<Result<Calls, Failure>> {
    let threads: Vec<_> =
        callers.map(|round| thread::spawn(move || pollster::block_on(caller(round)))).collect();
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap_or_else(|_| Err("a caller panicked".into())))
        .collect()
}

/// What a caller did.
struct Calls {
    operations: u64,
    /// In nanoseconds, to 1 %.
    latencies: Histogram<u32>,
}

impl Calls {
    fn new() -> Result<Self, Failure> {
        Ok(Self { operations: 0, latencies: Histogram::new_with_bounds(100, 120_000_000_000, 2)? })
    }

    fn add(&mut self, other: Self) -> Result<(), Failure> {
        self.operations += other.operations;
        Ok(self.latencies.add(other.latencies)?)
    }
}

async fn caller<C: Contender>(round: Arc<Round<C>>) -> Result<Calls, Failure> {
    let mut calls = Calls::new()?;
    while !round.is_over() {
        let prepared = round.prepare();
        let begun = Instant::now();
        let done = match round.call(prepared).await {
            Ok(done) => done,
            Err(error) => {
                round.failed.store(true, Ordering::Relaxed);
                return Err(error);
            }
        };
        calls.latencies.saturating_record(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
        calls.operations += done;
    }
    Ok(calls)
}

/// What a call needs and is not measured.
struct Prepared {
    /// Its place among the keys.
    place: usize,
    key: Key,
    definition: String,
    definitions: Vec<String>,
}

impl<C: Contender> Round<C> {
    fn is_over(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
            || self.taken.load(Ordering::Relaxed) >= self.budget
            || Instant::now() >= self.deadline
    }

    fn prepare(&self) -> Prepared {
        let bulk = if self.workload == Workload::Bulk { BULK } else { 0 };
        let place = fastrand::usize(..self.keys.len());
        Prepared {
            place,
            key: self.keys[place],
            definition: if self.workload.writes() { new_definition() } else { String::new() },
            definitions: (0..bulk).map(|_| new_definition()).collect(),
        }
    }

    /// One call, checked; answers how many operations it was.
    async fn call(&self, prepared: Prepared) -> Result<u64, Failure> {
        let (contender, key) = (&self.contender, prepared.key);
        if matches!(self.workload.kind(), Kind::Backlog) {
            return self.claim().await;
        }
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        if number >= self.budget {
            return Ok(0);
        }
        match self.workload {
            Workload::Get => self.get(key).await?,
            Workload::Authenticate => self.authenticate(key, &self.tokens[prepared.place]).await?,
            Workload::Insert => contender.insert(key.user, prepared.definition).await?,
            Workload::Update => self.update(key, prepared.definition).await?,
            Workload::Delete => contender.delete(self.keys[number as usize]).await?,
            Workload::Page => check_page(contender.page(key.user, None).await?, PAGE)?,
            Workload::Search => check_page(contender.page(key.user, Some(SEARCH)).await?, 1)?,
            Workload::Relations => check_relations(contender.relations(key.user).await?)?,
            Workload::Unit => contender.unit(key, prepared.definition).await?,
            Workload::Closure => contender.transaction(key, prepared.definition).await?,
            Workload::Bulk => contender.bulk(key.user, prepared.definitions).await?,
            Workload::Mix => match fastrand::u8(..10) {
                0 => self.update(key, prepared.definition).await?,
                1 => contender.insert(key.user, prepared.definition).await?,
                _ => self.get(key).await?,
            },
            Workload::DeepPage => check_page(contender.deep_page().await?, PAGE)?,
            Workload::Open => contender.reopen().await?,
            Workload::Claim1 | Workload::Claim32 | Workload::Work => {}
        }
        Ok(1)
    }

    async fn get(&self, key: Key) -> Result<(), Failure> {
        check_seen(&self.contender.get(key).await?, key.job)
    }

    async fn authenticate(&self, key: Key, token: &str) -> Result<(), Failure> {
        let found = self.contender.authenticate(token).await?.ok_or("a token that is right was refused")?;
        if found.user == key.user && token.starts_with(&found.key) {
            Ok(())
        } else {
            Err("another API key was answered".into())
        }
    }

    async fn update(&self, key: Key, definition: String) -> Result<(), Failure> {
        let expected = definition.len();
        let seen = self.contender.update(key, definition).await?;
        check_seen(&seen, key.job)?;
        if seen.definition.len() == expected {
            Ok(())
        } else {
            Err("an update answered the row before it".into())
        }
    }

    async fn claim(&self) -> Result<u64, Failure> {
        let limit = if self.workload == Workload::Claim32 { 32 } else { 1 };
        let claimed = self.contender.claim(limit).await?;
        if claimed.len() > limit as usize {
            return Err(format!("a claim of {limit} took {}", claimed.len()).into());
        }
        let taken = claimed.len() as u64;
        if self.taken.fetch_add(taken, Ordering::Relaxed) + taken > self.budget {
            return Err("more jobs were claimed than were due: some were claimed twice".into());
        }
        if self.workload == Workload::Work {
            for job in claimed {
                self.contender.complete(job).await?;
            }
        }
        Ok(taken)
    }
}

fn check_seen(seen: &Seen, id: Uuid) -> Result<(), Failure> {
    if seen.id == id && !seen.definition.is_empty() { Ok(()) } else { Err("another row was answered".into()) }
}

fn check_page(listed: Listed, least: usize) -> Result<(), Failure> {
    if (least..=PAGE).contains(&listed.jobs) && (least < PAGE || listed.has_next) {
        Ok(())
    } else {
        Err(format!("a page is not as it should be: {listed:?}").into())
    }
}

fn check_relations(listed: Listed) -> Result<(), Failure> {
    check_page(listed, PAGE)?;
    if listed.messages >= listed.jobs { Ok(()) } else { Err("messages are missing".into()) }
}

/// The time that this process has spent on processors.
fn cpu_time() -> Result<Duration, Failure> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let time = |time: nix::sys::time::TimeVal| {
        Duration::from_micros((time.tv_sec() * 1_000_000 + time.tv_usec()).unsigned_abs())
    };
    Ok(time(usage.user_time()) + time(usage.system_time()))
}
