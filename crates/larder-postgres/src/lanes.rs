//! Lanes: calls of concurrent callers that travel together.
//!
//! Reads have a lane, writes have one, and claims have one, so that a look-up never waits for a commit, and a write never for
//! the choice of due rows. A carrier takes a session of the pool, then everything that waits in its lane, and sends it in one
//! round trip, in as few statements as there are shapes among it; writes in one commit. What is refused is split until only
//! the guilty fail; what would have to wait for somebody's lock goes on its own.

mod reads;
mod writes;

use std::sync::Arc;

use larder_core::{
    Assign, Error, ErrorKind, Outcome, Result, Unit, Value, Verb,
    lane::{Carrier, Item, Lane, LaneLimits, LaneReport},
};
use tokio::time::Instant;

pub(crate) use self::reads::Unread;
use self::{reads::Read, writes::Write};
use crate::{
    LaneUse,
    call::Answer,
    pool::{Pool, Slot},
    session::Session,
};

/// Two under way keep the server busy while one's answers are handed out; more only make smaller batches.
const CARRIERS: usize = 2;

/// One, so that all who claim while it is under way claim together.
const CLAIM_CARRIERS: usize = 1;

/// The most calls in a batch.
const BATCH: usize = 128;

/// The most bytes of values in a batch. A call with more travels alone.
const BATCH_BYTES: usize = 1024 * 1024;

/// The most calls that wait in a lane, and the most bytes.
const WAITING: usize = 10_000;
const WAITING_BYTES: usize = 64 * BATCH_BYTES;

/// The lanes of a store.
#[derive(Debug)]
pub(crate) struct Lanes {
    pool: Arc<Pool>,
    reads: Arc<Lane<Read, Answer>>,
    writes: Arc<Lane<Write, Answer>>,
    claims: Arc<Lane<Write, Answer>>,
}

impl Lanes {
    pub(crate) fn new(pool: &Arc<Pool>) -> Self {
        let limits = |carriers| LaneLimits {
            carriers,
            batch: BATCH,
            batch_bytes: BATCH_BYTES,
            waiting: WAITING,
            waiting_bytes: WAITING_BYTES,
        };
        Self {
            pool: Arc::clone(pool),
            reads: Lane::new("reads", limits(CARRIERS)),
            writes: Lane::new("writes", limits(CARRIERS)),
            claims: Lane::new("claims", limits(CLAIM_CARRIERS)),
        }
    }

    /// Executes a verb, or hands it back when it cannot travel with others.
    pub(crate) async fn execute(&self, verb: Verb) -> Result<Result<Outcome>, Verb> {
        let use_of = self.pool.config().lanes;
        let bytes = size(&verb);
        if use_of == LaneUse::Off || bytes > BATCH_BYTES {
            return Err(verb);
        }
        let answer = if verb.is_read() {
            self.read(Read::verb(verb)?, bytes).await
        } else if use_of == LaneUse::On {
            let lane = if matches!(verb, Verb::Claim(_)) { &self.claims } else { &self.writes };
            self.write(lane, Write::verb(verb)?, bytes).await
        } else {
            return Err(verb);
        };
        Ok(answer.and_then(Answer::into_outcome))
    }

    /// Executes a unit, or hands it back when it cannot travel with others.
    pub(crate) async fn run(&self, unit: Unit) -> Result<Result<Vec<Outcome>>, Unit> {
        let use_of = self.pool.config().lanes;
        let bytes = unit.steps.iter().map(|step| size(&step.verb)).sum();
        if use_of == LaneUse::Off || bytes > BATCH_BYTES || unit.steps.is_empty() {
            return Err(unit);
        }
        let answer = if unit.steps.iter().all(|step| step.verb.is_read()) {
            self.read(Read::unit(unit)?, bytes).await
        } else if use_of == LaneUse::On {
            self.write(&self.writes, Write::unit(unit)?, bytes).await
        } else {
            return Err(unit);
        };
        Ok(answer.and_then(Answer::into_outcomes))
    }

    async fn read(&self, read: Read, bytes: usize) -> Result<Answer> {
        let pool = Arc::clone(&self.pool);
        let carry = |carrier| carry(carrier, pool, Sessions::Any, reads::carry);
        match self.reads.send(read, bytes, self.deadline(), carry).await? {
            Answer::Unread(unread) => unread.read(),
            answer => Ok(answer),
        }
    }

    async fn write(&self, lane: &Arc<Lane<Write, Answer>>, write: Write, bytes: usize) -> Result<Answer> {
        let pool = Arc::clone(&self.pool);
        // Claims pass over what is locked, and their planner knows best.
        let sessions = if Arc::ptr_eq(lane, &self.claims) { Sessions::Living } else { Sessions::ForBatches };
        let carry = |carrier| carry(carrier, pool, sessions, writes::carry);
        lane.send(write, bytes, self.deadline(), carry).await
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.pool.config().timeout
    }

    /// What was carried.
    pub(crate) fn reports(&self) -> [LaneReport; 3] {
        [self.reads.report(), self.writes.report(), self.claims.report()]
    }

    /// Takes nothing more in, and waits until what was taken in is answered.
    pub(crate) async fn finish(&self) {
        self.reads.close();
        self.writes.close();
        self.claims.close();
        self.reads.finished().await;
        self.writes.finished().await;
        self.claims.finished().await;
    }
}

/// About how many bytes the values of a verb are.
fn size(verb: &Verb) -> usize {
    let of_set = |set: &[(usize, Assign)]| -> usize {
        let of_assign = |assign: &Assign| if let Assign::Set(value) = assign { value.size() } else { 8 };
        set.iter().map(|(_, assign)| of_assign(assign)).sum()
    };
    match verb {
        Verb::Insert(insert) => insert.rows.iter().flatten().map(Value::size).sum(),
        Verb::Update(update) => of_set(&update.set),
        Verb::Upsert(upsert) => upsert.row.iter().map(Value::size).sum::<usize>() + of_set(&upsert.set),
        _ => 64,
    }
}

/// Takes what waits in a lane and makes trips with it, until nothing waits. The connection comes first: who goes away while
/// it is made is not carried at all.
async fn carry<W, F>(
    mut carrier: Carrier<W, Answer>,
    pool: Arc<Pool>,
    sessions: Sessions,
    trip: impl Fn(Slot, Session, Vec<Item<W, Answer>>) -> F,
) where
    W: Send + 'static,
    F: Future<Output = ()>,
{
    while carrier.is_needed() {
        let ready = ready(&pool, sessions.for_calls(carrier.waiting())).await;
        let Some(batch) = carrier.next_batch() else {
            if let Ok((slot, session)) = ready {
                slot.give_back(session).await;
            }
            return;
        };
        let ready = match ready {
            // Somebody joined it meanwhile.
            Ok((slot, session)) if sessions.for_calls(batch.len()) == Sessions::ForBatches => {
                slot.for_batches(session, deadline(&batch)).await.map(|session| (slot, session))
            }
            ready => ready,
        };
        match ready {
            Ok((slot, session)) => trip(slot, session, batch).await,
            Err(error) => answer_all(batch, &error),
        }
    }
}

/// Which sessions a lane's batches travel on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sessions {
    /// Whichever is idle: what fails is repeated.
    Any,
    /// One that is alive as far as anybody can know.
    Living,
    /// One like that, set to carry the writes of many.
    ForBatches,
}

impl Sessions {
    /// Which one so many calls need: one that is alone goes as if there were no lane.
    fn for_calls(self, calls: usize) -> Self {
        match self {
            Self::ForBatches if calls <= 1 => Self::Living,
            sessions => sessions,
        }
    }
}

async fn ready(pool: &Arc<Pool>, sessions: Sessions) -> Result<(Slot, Session)> {
    let deadline = Instant::now() + pool.config().timeout;
    let slot = pool.slot(deadline).await?;
    let session = match sessions {
        Sessions::Any => slot.session(deadline).await?,
        Sessions::Living => slot.living_session(deadline).await?,
        Sessions::ForBatches => slot.batch_session(deadline).await?,
    };
    Ok((slot, session))
}

fn answer_all<W>(items: impl IntoIterator<Item = Item<W, Answer>>, error: &Error) {
    items.into_iter().for_each(|item| item.answer(Err(error.clone())));
}

fn timed_out() -> Error {
    Error::new(ErrorKind::Timeout, "")
}

/// When the last of them stops waiting.
fn deadline<'a, W: 'a>(items: impl IntoIterator<Item = &'a Item<W, Answer>>) -> Instant {
    items.into_iter().map(|item| item.deadline).max().unwrap_or_else(Instant::now)
}
