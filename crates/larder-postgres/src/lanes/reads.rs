//! The lane of reads: look-ups of one table in one statement, pages and units each in their own, all in one round trip.

use std::collections::VecDeque;

use larder_core::{Filter, Select, Step, Unit, Verb, lane::Item};
use larder_sql::{Batchable, Statements, batch_answers};
use tokio::time::timeout_at;

use super::{answer_all, deadline, timed_out};
use crate::{
    call::Answer,
    error::Failure,
    pool::Slot,
    session::{Command, Session, next_reply},
    trip::Reply,
    unit,
    verb::{one_statement, outcome},
};

/// A list with more left out than this is slow, and keeps nobody waiting but its own caller.
const LONGEST_OFFSET: u64 = 1000;

/// The most rows of a page that travels with others.
const LONGEST_PAGE: u64 = 1000;

/// A read in the lane.
#[derive(Debug)]
pub(crate) enum Read {
    /// A look-up that can be one statement with others of its shape.
    LookUp(Verb, Batchable),
    /// A verb with a statement of its own.
    Verb(Verb),
    /// A unit, which sees one state of the database.
    Unit(Vec<Step>),
}

impl Read {
    /// A verb, or back when others would have to wait for it.
    #[expect(clippy::result_large_err, reason = "what is handed back is no error")]
    pub(super) fn verb(verb: Verb) -> Result<Self, Verb> {
        match Batchable::new(&verb) {
            Some(batchable) => Ok(Self::LookUp(verb, batchable)),
            None if is_short(&verb) => Ok(Self::Verb(verb)),
            None => Err(verb),
        }
    }

    /// A unit, or back when others would have to wait for it.
    pub(super) fn unit(unit: Unit) -> Result<Self, Unit> {
        if unit.steps.iter().all(|step| is_short(&step.verb)) {
            Ok(Self::Unit(unit.steps))
        } else {
            Err(unit)
        }
    }

    fn commands(&self, statements: &Statements) -> Option<Vec<Command>> {
        match self {
            Self::LookUp(verb, _) | Self::Verb(verb) => {
                Some(vec![Command::Statement(one_statement(statements, verb, None)?)])
            }
            Self::Unit(steps) => {
                // Its snapshot is the first thing in its transaction.
                let sync = || Some(Command::Sync);
                let steps = unit::commands(statements, steps)?.into_iter().map(Some);
                std::iter::once(sync()).chain(steps).chain([sync()]).collect()
            }
        }
    }
}

/// Does it look at few rows, as far as the table's indexes tell?
fn is_short(verb: &Verb) -> bool {
    match verb {
        Verb::Get(_) => true,
        Verb::Select(select) => {
            select.limit.is_none_or(|limit| limit <= LONGEST_PAGE)
                && select.offset <= LONGEST_OFFSET
                && is_served_by_an_index(select)
        }
        _ => false,
    }
}

/// Is there an index whose first columns the select fixes, and whose next ones it sorts by? Without a limit, it has to fix one.
fn is_served_by_an_index(select: &Select) -> bool {
    let table = select.table;
    let mut fixed: Vec<usize> = table.owner.filter(|_| select.owner.is_some()).into_iter().collect();
    let chooses = fix(&select.filter, &mut fixed);
    let keys = table.keys();
    let indexes = table.indexes.iter().filter(|index| index.only.is_none()).map(|index| index.columns);
    keys.chain(indexes).any(|columns| {
        let first = columns.iter().take_while(|column| fixed.contains(column)).count();
        let sorted = &columns[first..];
        let order: Vec<usize> = select.order.iter().map(|by| by.column).collect();
        let is_sorted = sorted.starts_with(&order) || order.starts_with(sorted);
        is_sorted && (select.limit.is_some() || (chooses && first > 0))
    })
}

/// Adds the columns that a filter fixes to few values; false when it has conditions that only reading can check.
fn fix(filter: &Filter, fixed: &mut Vec<usize>) -> bool {
    match filter {
        Filter::All(all) => all.iter().all(|filter| fix(filter, fixed)),
        Filter::Compare { column, op: larder_core::Op::Eq, .. } | Filter::In { column, .. } => {
            fixed.push(*column);
            true
        }
        _ => false,
    }
}

/// What is answered together: look-ups of one shape, which are one statement, or one read by itself.
type Part = Vec<Item<Read, Answer>>;

fn commands_of(part: &Part, statements: &Statements) -> Option<Vec<Command>> {
    match part.as_slice() {
        // One look-up needs no array.
        [item] => item.work.commands(statements),
        items => Some(vec![Command::Statement(statements.batch(&look_ups(items), None)?)]),
    }
}

/// Answers with the replies to the part's commands. What could not be read together, or after others, is handed back to be
/// read alone.
fn answer(mut part: Part, replies: Vec<Result<Reply, Failure>>) -> Vec<Part> {
    if let Some(Err(Failure::Skipped)) = replies.iter().find(|reply| reply.is_err()) {
        return vec![part];
    }
    let is_alone = part.len() == 1;
    if let Some(item) = part.pop_if(|_| is_alone) {
        let answer = answer_of(&item.work, replies).map_err(Failure::into_error);
        item.answer(answer);
        return Vec::new();
    }
    let complete = replies.into_iter().map(|reply| reply.and_then(Reply::complete));
    let Ok(replies) = complete.collect::<Result<Vec<_>, _>>() else {
        return part.into_iter().map(|item| vec![item]).collect();
    };
    let rows = replies.into_iter().flat_map(|reply| reply.rows).collect();
    let answers = batch_answers(&look_ups(&part), rows);
    for (item, answer) in part.into_iter().zip(answers) {
        item.answer(Ok(Answer::Outcome(answer)));
    }
    Vec::new()
}

fn look_ups(items: &[Item<Read, Answer>]) -> Vec<(&Verb, &Batchable)> {
    let mut look_ups = Vec::with_capacity(items.len());
    for item in items {
        if let Read::LookUp(verb, batchable) = &item.work {
            look_ups.push((verb, batchable));
        }
    }
    look_ups
}

fn answer_of(read: &Read, replies: Vec<Result<Reply, Failure>>) -> Result<Answer, Failure> {
    match read {
        Read::LookUp(verb, _) | Read::Verb(verb) => {
            let reply = next_reply(&mut replies.into_iter());
            let reply = reply.and_then(Reply::complete).map_err(|failure| failure.explained(Some(verb)))?;
            Ok(Answer::Outcome(outcome(verb, reply)))
        }
        Read::Unit(steps) => Ok(Answer::Outcomes(unit::judge(steps, replies)?.unwrap_or_default())),
    }
}

/// Look-ups of a shape together, everything else by itself, in the order in which it came.
fn parts(batch: Vec<Item<Read, Answer>>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for item in batch {
        let joins = |part: &Part| match (&item.work, look_ups(&part[..1]).first()) {
            (Read::LookUp(verb, batchable), Some(other)) => batchable.joins(verb, *other),
            _ => false,
        };
        match parts.iter().position(joins) {
            Some(position) => parts[position].push(item),
            None => parts.push(vec![item]),
        }
    }
    parts
}

/// One batch on one slot.
pub(super) async fn carry(slot: Slot, session: Session, batch: Vec<Item<Read, Answer>>) {
    let mut trips = Trips { slot, loads: VecDeque::from([parts(batch)]), session: Some(session) };
    while let Some(load) = trips.loads.pop_front() {
        trips.make(load).await;
    }
    if let Some(session) = trips.session {
        trips.slot.give_back(session).await;
    }
}

/// Parts that are sent together.
type Load = Vec<Part>;

/// What is still to be carried, and by what.
struct Trips {
    slot: Slot,
    loads: VecDeque<Load>,
    session: Option<Session>,
}

impl Trips {
    async fn make(&mut self, load: Load) {
        let deadline = deadline(load.iter().flatten());
        let session = match self.session.take() {
            Some(session) => Ok(session),
            None => Box::pin(self.slot.session(deadline)).await,
        };
        let mut session = match session {
            Ok(session) => session,
            Err(error) => return answer_all(load.into_iter().flatten(), &error),
        };
        let (counts, commands) = commands(&load, session.statements());
        let Ok(trip) = timeout_at(deadline, trip(&mut session, &commands)).await else {
            // Dropped in the middle of a trip, the session is closed; the server cancels by its own deadline.
            return answer_all(load.into_iter().flatten(), &timed_out());
        };
        match trip {
            Ok(replies) => {
                self.session = Some(session);
                let mut replies = replies.into_iter();
                for (part, count) in load.into_iter().zip(counts) {
                    self.put_back(answer(part, replies.by_ref().take(count).collect()));
                }
            }
            Err(Failure::Lost(lost)) if !session.reused => {
                self.slot.pool().lost_one();
                answer_all(load.into_iter().flatten(), &lost.into_unavailable());
            }
            Err(Failure::Lost(_)) => {
                self.slot.pool().lost_one();
                // It had died while it was idle. A new one fails for itself or not at all.
                self.session = Box::pin(self.slot.connect(deadline)).await.ok();
                self.loads.push_front(load);
            }
            Err(failure) => {
                self.session = Some(session);
                self.not_sent(load, failure);
            }
        }
    }

    /// When something could not even be sent, nothing was: each tells for itself.
    fn not_sent(&mut self, mut load: Load, failure: Failure) {
        match load.pop() {
            Some(part) if load.is_empty() => self.put_back(answer(part, vec![Err(failure)])),
            last => self.put_back(load.into_iter().chain(last).collect()),
        }
    }

    /// Parts that are to be sent each by itself.
    fn put_back(&mut self, parts: Vec<Part>) {
        self.loads.extend(parts.into_iter().map(|part| vec![part]));
    }
}

/// How many replies each part gets, and the commands.
fn commands(load: &Load, statements: &Statements) -> (Vec<usize>, Vec<Command>) {
    let mut all = Vec::new();
    let count = |part: &Part| {
        let commands = commands_of(part, statements).unwrap_or_default();
        let count = commands.iter().filter(|command| !matches!(command, Command::Sync)).count();
        all.extend(commands);
        count
    };
    (load.iter().map(count).collect(), all)
}

async fn trip(session: &mut Session, commands: &[Command]) -> Result<Vec<Result<Reply, Failure>>, Failure> {
    let replies = session.trip(commands).await?;
    if session.is_in_transaction() {
        // A unit's that failed before its end.
        session.script("ROLLBACK").await?;
    }
    Ok(replies)
}
