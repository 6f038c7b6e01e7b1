//! The lane of writes: one request at a time, in which everything that waits is one transaction.

use std::{sync::Arc, time::Duration};

use larder_core::{
    Error, ErrorKind, Outcome, Result, Sql, SqlOutcome, Step, Unit, Value, Verb,
    lane::{Carrier, Item, Lane, LaneLimits, LaneReport},
};
use tokio::time::Instant;

use super::{
    attempts::Attempts,
    batch::{self, Group},
    error::{Fate, Lost},
    pipeline::Server,
    plan::Verdict,
    sql,
    stall::Acknowledges,
    stream::Stream,
    transaction::{self, Opened, Opening},
};
use crate::call::is_refusal;

/// The most units in a transaction. It bounds how long the first of them waits for the last.
const GROUP: usize = 64;

/// The most bytes of a request, and of what waits.
const GROUP_BYTES: usize = 1024 * 1024;
const WAITING_BYTES: usize = 64 * 1024 * 1024;

/// How long a read may take that tells whether the server answers at all.
const READ: Duration = Duration::from_secs(2);

/// What is to be written.
pub(crate) enum Write {
    Unit(Unit),
    Sql(Sql),
    /// A transaction that its caller serves.
    Begin(Opening),
}

pub(crate) enum Written {
    Outcomes(Vec<Outcome>),
    Sql(SqlOutcome),
    Opened(Opened),
}

/// One lane for all writers: many at once have stopped sqld for good.
#[derive(Clone)]
pub(crate) struct Writes {
    server: Arc<Server>,
    lane: Arc<Lane<Write, Written>>,
}

impl Writes {
    pub(crate) fn new(server: &Arc<Server>) -> Self {
        let limits = LaneLimits {
            carriers: 1,
            batch: GROUP,
            batch_bytes: GROUP_BYTES,
            waiting: server.config.queue,
            waiting_bytes: WAITING_BYTES,
        };
        Self { server: Arc::clone(server), lane: Lane::new("writes", limits) }
    }

    pub(crate) async fn run(&self, write: Write, deadline: Instant) -> Result<Written> {
        let bytes = match &write {
            Write::Unit(unit) => size(unit),
            Write::Sql(_) | Write::Begin(_) => 0,
        };
        let carried = self.clone();
        self.lane
            .send(write, bytes, deadline, |carrier| carried.carry(carrier))
            .await
            .map_err(|error| self.server.stall.explain(error))
    }

    pub(crate) fn report(&self) -> LaneReport {
        self.lane.report()
    }

    pub(crate) async fn finish(&self) {
        self.lane.close();
        self.lane.finished().await;
    }

    async fn carry(self, mut carrier: Carrier<Write, Written>) {
        while let Some(items) = carrier.next_batch() {
            let mut group = Vec::with_capacity(items.len());
            for item in items {
                if matches!(item.work, Write::Unit(_)) {
                    group.push(item);
                } else {
                    self.write_together(std::mem::take(&mut group)).await;
                    self.write_apart(item).await;
                }
            }
            self.write_together(group).await;
        }
    }

    async fn write_apart(&self, item: Item<Write, Written>) {
        let deadline = item.deadline;
        match item.split() {
            (Write::Sql(sql), caller) => {
                let stream = Stream::new(&self.server, deadline);
                let answer = self.watch(stream.transaction(sql::execute(&stream, &sql))).await;
                stream.close().await;
                caller.answer(answer.map(Written::Sql).map_err(Lost::of_write));
            }
            (Write::Begin(opening), caller) => {
                let stream = Stream::new(&self.server, deadline);
                match transaction::open(&stream, opening).await {
                    Ok((opened, steps)) => {
                        caller.answer(Ok(Written::Opened(opened)));
                        transaction::serve(&stream, steps).await;
                    }
                    Err(error) => caller.answer(Err(error)),
                }
                stream.close().await;
            }
            (Write::Unit(_), _) => {}
        }
    }

    async fn write_together(&self, mut items: Vec<Item<Write, Written>>) {
        if items.len() > 1 {
            items = self.write_group(items).await;
        }
        // Nothing of these is written: each is executed alone, where only those fail that fail by themselves.
        for item in items {
            self.write_one(item).await;
        }
    }

    /// Executes several in one transaction; gives back those that have to be executed alone.
    async fn write_group(&self, items: Vec<Item<Write, Written>>) -> Vec<Item<Write, Written>> {
        let units: Vec<_> = items.iter().filter_map(|item| unit(&item.work)).collect();
        let deadline = items.iter().map(|item| item.deadline).max().unwrap_or_else(Instant::now);
        let mut attempts = Attempts::new(self.server.config.retry, deadline);
        let lost = loop {
            match self.watch(batch::write(&self.server, &units, deadline)).await {
                None => return items,
                Some(Ok(Group::Committed(verdicts))) => return answer_those_that_ended(items, verdicts),
                Some(Ok(Group::Refused(error))) => break Lost::refused(error),
                Some(Err(lost)) if lost.fate == Fate::NotSent => match attempts.next(lost).await {
                    Ok(()) => {}
                    Err(lost) => break lost,
                },
                Some(Err(lost)) => break lost,
            }
        };
        match lost.fate {
            Fate::Unknown => self.settle(items, lost).await,
            _ if concerns_all(&lost.error) => {
                items.into_iter().for_each(|item| item.answer(Err(lost.error.clone())));
            }
            Fate::NotSent | Fate::Refused => return items,
        }
        Vec::new()
    }

    async fn write_one(&self, item: Item<Write, Written>) {
        let Some(unit) = unit(&item.work) else { return };
        let mut attempts = Attempts::new(self.server.config.retry, item.deadline);
        match self.attempt(unit, item.deadline, &mut attempts).await {
            Ok(outcomes) => item.answer(Ok(Written::Outcomes(outcomes))),
            Err(lost) if lost.fate == Fate::Unknown => self.settle(vec![item], lost).await,
            Err(lost) => item.answer(Err(lost.error)),
        }
    }

    /// After a request of which nobody knows what became of it: executes again what does no harm when it is executed twice,
    /// all of it within the time that is for trying again.
    async fn settle(&self, items: Vec<Item<Write, Written>>, lost: Lost) {
        let is_insert = |item: &Item<Write, Written>| unit(&item.work).is_some_and(is_insert);
        let (again, others): (Vec<_>, Vec<_>) = items.into_iter().partition(is_insert);
        others.into_iter().for_each(|item| item.answer(Err(lost.clone().of_write())));
        let Some(deadline) = again.iter().map(|item| item.deadline).max() else { return };
        let mut attempts = Attempts::new(self.server.config.retry, deadline);
        let mut is_over = attempts.next(lost.clone()).await.is_err();
        for item in again {
            let Some(unit) = unit(&item.work) else { continue };
            let settled =
                if is_over { Err(lost.clone()) } else { self.insert_again(unit, &item, &mut attempts).await };
            is_over |= matches!(&settled, Err(lost) if lost.fate == Fate::Unknown);
            item.answer(settled.map(Written::Outcomes).map_err(Lost::of_write));
        }
    }

    /// Inserts what may have been inserted before.
    async fn insert_again(
        &self,
        unit: &Unit,
        item: &Item<Write, Written>,
        attempts: &mut Attempts,
    ) -> Result<Vec<Outcome>, Lost> {
        loop {
            match self.attempt(unit, item.deadline, attempts).await {
                Err(lost) if is_own_key_taken(unit, &lost.error) => return Ok(inserted(unit)),
                // With the first the own key would be taken: it was not executed.
                Err(lost) if is_refusal(&lost.error) => return Err(lost),
                // It still is not known what became of the first.
                Err(lost) => attempts.next(Lost { fate: Fate::Unknown, ..lost }).await?,
                Ok(outcomes) => return Ok(outcomes),
            }
        }
    }

    /// Executes one unit.
    async fn attempt(
        &self,
        unit: &Unit,
        deadline: Instant,
        attempts: &mut Attempts,
    ) -> Result<Vec<Outcome>, Lost> {
        let verdict = loop {
            match self.watch(batch::write(&self.server, &[unit], deadline)).await {
                None => break Verdict::Unexplained,
                Some(Ok(Group::Committed(verdicts))) => {
                    break verdicts.into_iter().next().unwrap_or(Verdict::NotRun);
                }
                Some(Ok(Group::Refused(error))) => return Err(Lost::refused(error)),
                Some(Err(lost)) if lost.fate == Fate::NotSent => attempts.next(lost).await?,
                Some(Err(lost)) => return Err(lost),
            }
        };
        match verdict {
            Verdict::Done(outcomes) => Ok(outcomes),
            Verdict::Failed(error) => Err(Lost::refused(error)),
            Verdict::Unexplained | Verdict::NotRun => self.statement_by_statement(unit, deadline).await,
        }
    }

    async fn statement_by_statement(&self, unit: &Unit, deadline: Instant) -> Result<Vec<Outcome>, Lost> {
        let stream = Stream::new(&self.server, deadline);
        let answer = self.watch(stream.transaction(stream.unit(unit))).await;
        stream.close().await;
        answer
    }

    /// Waits for a write, suspicious of a server that takes none.
    async fn watch<T: Acknowledges>(&self, write: impl Future<Output = T>) -> T {
        let read = async {
            let unit = Unit::default();
            batch::read(&self.server, &[&unit], Instant::now() + READ).await.is_ok()
        };
        self.server.stall.watch(write, read).await
    }
}

/// Answers those whose end is known, and gives back the others.
fn answer_those_that_ended(
    items: Vec<Item<Write, Written>>,
    verdicts: Vec<Verdict>,
) -> Vec<Item<Write, Written>> {
    let mut left = Vec::new();
    for (item, verdict) in items.into_iter().zip(verdicts) {
        match verdict {
            Verdict::Done(outcomes) => item.answer(Ok(Written::Outcomes(outcomes))),
            Verdict::Failed(error) => item.answer(Err(error)),
            Verdict::Unexplained | Verdict::NotRun => left.push(item),
        }
    }
    left
}

/// Would each of a group that failed so fail in the same way when it is executed alone?
fn concerns_all(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Busy
            | ErrorKind::Config
            | ErrorKind::Denied
            | ErrorKind::ReadOnly
            | ErrorKind::Timeout
            | ErrorKind::Unavailable
    )
}

impl Acknowledges for Option<Result<Group, Lost>> {
    fn is_taken(&self) -> bool {
        matches!(self, Some(Ok(Group::Committed(..))))
    }
}

fn unit(write: &Write) -> Option<&Unit> {
    match write {
        Write::Unit(unit) => Some(unit),
        Write::Sql(_) | Write::Begin(_) => None,
    }
}

/// About how many bytes a unit is, for a request that is not to become too large.
fn size(unit: &Unit) -> usize {
    let of_value = |value: &Value| match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len() * 4 / 3,
        Value::Json(json) => json.to_string().len(),
        _ => 40,
    };
    let of_step = |step: &Step| match &step.verb {
        Verb::Insert(insert) => insert.rows.iter().flatten().map(of_value).sum(),
        Verb::Upsert(upsert) => upsert.row.iter().map(of_value).sum(),
        _ => 0,
    };
    unit.steps.iter().map(of_step).sum()
}

/// Does it insert, and nothing else? Rows carry their id: inserted again they are refused, and that says that they are there.
/// Nothing else can be told from what others do: a claim would take other rows, an update undo another's.
fn is_insert(unit: &Unit) -> bool {
    let is_insert = |step: &Step| matches!(&step.verb, Verb::Insert(insert) if !insert.rows.is_empty());
    !unit.steps.is_empty() && unit.steps.iter().all(is_insert)
}

/// Is the key that is taken the one that the unit itself gives its first row?
fn is_own_key_taken(unit: &Unit, error: &Error) -> bool {
    let Some(Step { verb: Verb::Insert(insert), .. }) = unit.steps.first() else { return false };
    let table = insert.table;
    is_insert(unit)
        && matches!(
            error.kind(),
            ErrorKind::Conflict { entity, field }
                if *entity == table.entity && *field == table.names(table.primary_key)
        )
}

fn inserted(unit: &Unit) -> Vec<Outcome> {
    let count = |step: &Step| match &step.verb {
        Verb::Insert(insert) => Outcome::Count(insert.rows.len() as u64),
        _ => Outcome::Count(0),
    };
    unit.steps.iter().map(count).collect()
}
