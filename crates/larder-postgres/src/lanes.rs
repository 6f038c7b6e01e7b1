//! Lanes: verbs of concurrent callers that travel together.
//!
//! Reads have a lane and writes have one, so that a look-up never waits for a commit. A carrier is a task: it takes a
//! session of the pool, then everything that waits in its lane, and executes it in as few statements as there are shapes
//! among it. Each statement is its own transaction; a refused one is split until only the guilty verbs fail.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use larder_core::{
    Assign, Error, ErrorKind, Outcome, Result, Value, Verb,
    lane::{Carrier, Item, Lane, LaneLimits},
};
use larder_sql::{Batchable, RowKey};
use tokio::time::{Instant, timeout_at};

use crate::{
    LaneUse,
    error::{Failure, Lost},
    pool::{Pool, Slot},
    session::Session,
    verb,
};

/// Two under way keep the server busy while one's answers are handed out; more only make smaller batches.
const CARRIERS: usize = 2;

/// The most verbs in a batch.
const BATCH: usize = 128;

/// The most bytes of values in a batch. A verb with more travels alone.
const BATCH_BYTES: usize = 1024 * 1024;

/// The most verbs that wait in a lane.
const WAITING: usize = 10_000;

/// A verb in a lane, with what it takes to travel with others.
#[derive(Debug)]
pub(crate) struct Passenger {
    verb: Verb,
    batchable: Batchable,
}

type Waiting = Item<Passenger, Outcome>;

/// The lanes of a store.
#[derive(Debug)]
pub(crate) struct Lanes {
    pool: Arc<Pool>,
    reads: Arc<Lane<Passenger, Outcome>>,
    writes: Arc<Lane<Passenger, Outcome>>,
}

impl Lanes {
    pub(crate) fn new(pool: &Arc<Pool>) -> Self {
        let limits = LaneLimits {
            carriers: CARRIERS,
            batch: BATCH,
            batch_bytes: BATCH_BYTES,
            waiting: WAITING,
            waiting_bytes: 64 * BATCH_BYTES,
        };
        Self { pool: Arc::clone(pool), reads: Lane::new(limits), writes: Lane::new(limits) }
    }

    /// Executes a verb, or hands it back when it cannot travel with others.
    pub(crate) async fn execute(&self, verb: Verb) -> Result<Result<Outcome>, Verb> {
        let (lane, is_read) = match self.pool.config().lanes {
            LaneUse::Reads | LaneUse::On if verb.is_read() => (&self.reads, true),
            LaneUse::On => (&self.writes, false),
            LaneUse::Off | LaneUse::Reads => return Err(verb),
        };
        let bytes = size(&verb);
        let batchable = if bytes <= BATCH_BYTES { larder_sql::batchable(&verb) } else { None };
        let Some(batchable) = batchable else { return Err(verb) };
        let deadline = Instant::now() + self.pool.config().timeout;
        let carry = |carrier| carry(carrier, Arc::clone(&self.pool), is_read);
        Ok(lane.send(Passenger { verb, batchable }, bytes, deadline, carry).await)
    }

    /// Takes nothing more in, and waits until what was taken in is answered.
    pub(crate) async fn finish(&self) {
        self.reads.close();
        self.writes.close();
        self.reads.finished().await;
        self.writes.finished().await;
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
        _ => 64,
    }
}

async fn carry(mut carrier: Carrier<Passenger, Outcome>, pool: Arc<Pool>, is_read: bool) {
    loop {
        let slot = pool.slot(Instant::now() + pool.config().timeout).await;
        let Some(batch) = carrier.next_batch() else { return };
        tracing::trace!(verbs = batch.len(), is_read, "a batch leaves");
        match slot {
            Ok(slot) => Trip { slot, is_read }.make(batch).await,
            Err(error) => answer_all(batch, &error),
        }
    }
}

fn answer_all(items: Vec<Waiting>, error: &Error) {
    items.into_iter().for_each(|item| item.answer(Err(error.clone())));
}

/// One batch on one slot.
struct Trip {
    slot: Slot,
    is_read: bool,
}

impl Trip {
    async fn make(self, batch: Vec<Waiting>) {
        let mut groups = grouped(batch);
        let mut session = None;
        while let Some(group) = groups.pop_front() {
            let deadline = deadline(&group);
            let mut ready = match self.session(session.take(), deadline).await {
                Ok(session) => session,
                Err(error) => {
                    answer_all(group, &error);
                    continue;
                }
            };
            match timeout_at(deadline, execute(&mut ready, &group)).await {
                // Dropped in the middle of a call, the session is closed; the server cancels by its own deadline.
                Err(_) => answer_all(group, &Error::new(ErrorKind::Timeout, "")),
                Ok(Err(Failure::Lost(lost))) => {
                    self.slot.pool().lost_one();
                    let may_repeat = lost.nothing_applied || self.is_read;
                    if ready.reused && may_repeat {
                        // It had died while it was idle. A new one fails for itself or not at all.
                        session = self.slot.connect(deadline).await.ok();
                        groups.push_front(group);
                    } else {
                        answer_all(group, &self.lost(lost));
                    }
                }
                Ok(result) => {
                    settle(group, result, &mut groups);
                    session = Some(ready);
                }
            }
        }
        if let Some(session) = session {
            self.slot.give_back(session).await;
        }
    }

    async fn session(&self, at_hand: Option<Session>, deadline: Instant) -> Result<Session> {
        match at_hand {
            Some(session) => Ok(session),
            None if self.is_read => self.slot.session(deadline).await,
            None => self.slot.living_session(deadline).await,
        }
    }

    fn lost(&self, lost: Lost) -> Error {
        if self.is_read { lost.into_unavailable() } else { lost.into_write_error() }
    }
}

/// When the last of a group stops waiting.
fn deadline(group: &[Waiting]) -> Instant {
    group.iter().map(|item| item.deadline).max().unwrap_or_else(Instant::now)
}

/// The items in groups that can each be one statement: of one shape, no two meaning the same row, sorted by row.
fn grouped(batch: Vec<Waiting>) -> VecDeque<Vec<Waiting>> {
    let mut groups: Vec<(Vec<Waiting>, HashSet<RowKey>)> = Vec::new();
    for item in batch {
        let Batchable { shape, row, .. } = &item.work.batchable;
        let fits = |(group, rows): &(Vec<Waiting>, HashSet<RowKey>)| {
            let same_shape = group.first().is_some_and(|first| first.work.batchable.shape == *shape);
            same_shape && row.as_ref().is_none_or(|row| !rows.contains(row))
        };
        let row = row.clone();
        let found = groups.iter().position(fits).unwrap_or_else(|| {
            groups.push(Default::default());
            groups.len() - 1
        });
        groups[found].1.extend(row);
        groups[found].0.push(item);
    }
    let sorted = groups.into_iter().map(|(mut group, _)| {
        group.sort_by(|a, b| a.work.batchable.row.cmp(&b.work.batchable.row));
        group
    });
    sorted.collect()
}

/// Executes a group: as one statement, or a single verb by itself.
async fn execute(session: &mut Session, group: &[Waiting]) -> Result<Vec<Outcome>, Failure> {
    if let [item] = group {
        return Ok(vec![verb::execute(session, &item.work.verb).await?]);
    }
    let verbs: Vec<_> = group.iter().map(|item| (&item.work.verb, &item.work.batchable)).collect();
    let Some(statement) = larder_sql::batch(&verbs) else {
        return Err(Failure::Refused(Error::new(ErrorKind::TooLarge, "a batch")));
    };
    Ok(larder_sql::batch_answers(&verbs, session.rows(&statement).await?))
}

/// Answers a group, or splits it: nothing of a refused statement was applied, and only some of its verbs are to blame.
fn settle(
    mut group: Vec<Waiting>,
    result: Result<Vec<Outcome>, Failure>,
    groups: &mut VecDeque<Vec<Waiting>>,
) {
    let is_alone = group.len() == 1;
    match result {
        Ok(outcomes) => {
            for (item, outcome) in group.into_iter().zip(outcomes) {
                // That nothing was changed may be because a sum would overflow. Alone, the verb tells.
                if outcome.rows() == 0
                    && !is_alone
                    && matches!(&item.work.verb, Verb::Update(update) if update.adds())
                {
                    groups.push_front(vec![item]);
                } else {
                    item.answer(Ok(outcome));
                }
            }
        }
        Err(failure) if is_alone => answer_all(group, &failure.into_error()),
        Err(_) => {
            let second_half = group.split_off(group.len() / 2);
            groups.push_front(second_half);
            groups.push_front(group);
        }
    }
}
