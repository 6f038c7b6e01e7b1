//! The lane of reads: what waits while others are under way leaves with the next request.

use std::sync::Arc;

use larder_core::{
    Error, ErrorKind, Outcome, Result, Unit,
    lane::{Carrier, Item, Lane, LaneLimits, LaneReport},
};
use tokio::time::Instant;

use super::{
    attempts::Attempts,
    batch,
    error::{Fate, Lost},
    pipeline::Server,
    plan::Verdict,
};

/// How many requests may be under way at once.
const CARRIERS: usize = 4;

/// The most units in a request.
const BATCH: usize = 128;

/// The most bytes of a request, and of what waits.
const BATCH_BYTES: usize = 1024 * 1024;
const WAITING_BYTES: usize = 64 * 1024 * 1024;

/// The lane, and the server behind it.
#[derive(Clone)]
pub(crate) struct Reads {
    server: Arc<Server>,
    lane: Arc<Lane<Unit, Vec<Outcome>>>,
}

impl Reads {
    pub(crate) fn new(server: &Arc<Server>) -> Self {
        let limits = LaneLimits {
            carriers: CARRIERS,
            batch: BATCH,
            batch_bytes: BATCH_BYTES,
            waiting: server.config.queue,
            waiting_bytes: WAITING_BYTES,
        };
        Self { server: Arc::clone(server), lane: Lane::new("reads", limits) }
    }

    /// Executes a unit that only reads.
    pub(crate) async fn run(&self, unit: Unit, deadline: Instant) -> Result<Vec<Outcome>> {
        let server = Arc::clone(&self.server);
        self.lane.send(unit, 0, deadline, |carrier| carry(server, carrier)).await
    }

    pub(crate) fn report(&self) -> LaneReport {
        self.lane.report()
    }

    pub(crate) async fn finish(&self) {
        self.lane.close();
        self.lane.finished().await;
    }
}

type Read = Item<Unit, Vec<Outcome>>;

async fn carry(server: Arc<Server>, mut carrier: Carrier<Unit, Vec<Outcome>>) {
    while let Some(items) = carrier.next_batch() {
        read_together(&server, items).await;
    }
}

async fn read_together(server: &Server, items: Vec<Read>) {
    let answers = match read(server, &items).await {
        Ok(answers) => answers,
        // One of them may be why: the others are not to fail with it.
        Err(lost) if items.len() > 1 && lost.fate == Fate::Refused => {
            for item in items {
                read_alone(server, item).await;
            }
            return;
        }
        Err(lost) => return items.into_iter().for_each(|item| item.answer(Err(lost.error.clone()))),
    };
    for (item, answer) in items.into_iter().zip(answers) {
        item.answer(answer);
    }
}

async fn read_alone(server: &Server, item: Read) {
    let answer = match read(server, std::slice::from_ref(&item)).await {
        Ok(mut answers) => answers.pop().unwrap_or_else(|| Err(unexplained())),
        Err(lost) => Err(lost.error),
    };
    item.answer(answer);
}

/// Sends the reads, again as long as that may help.
async fn read(server: &Server, items: &[Read]) -> Result<Vec<Result<Vec<Outcome>>>, Lost> {
    let units: Vec<_> = items.iter().map(|item| &item.work).collect();
    let deadline = items.iter().map(|item| item.deadline).max().unwrap_or_else(Instant::now);
    let mut attempts = Attempts::new(server.config.retry, deadline);
    loop {
        match batch::read(server, &units, deadline).await {
            Ok(answers) => return Ok(answers.into_iter().map(|answer| answered(answer?)).collect()),
            Err(lost) => attempts.next(lost).await?,
        }
    }
}

fn answered(verdict: Verdict) -> Result<Vec<Outcome>> {
    match verdict {
        Verdict::Done(outcomes) => Ok(outcomes),
        Verdict::Failed(error) => Err(error),
        Verdict::Unexplained | Verdict::NotRun => Err(unexplained()),
    }
}

fn unexplained() -> Error {
    Error::new(ErrorKind::Database, "the server has not executed the read, and does not say why")
}
