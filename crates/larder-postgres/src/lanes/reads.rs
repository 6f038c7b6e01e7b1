//! The lane of reads: look-ups of one table in one statement, pages and units each in their own, all in one round trip.

use std::collections::VecDeque;

use larder_core::{Filter, Result, Select, Step, Unit, Verb, lane::Item};
use larder_sql::{Batchable, Rendered, Statements, batch_answers};
use tokio::time::timeout_at;

use super::{answer_all, deadline, timed_out};
use crate::{
    call::{Answer, Job, on_a_session},
    error::Failure,
    pool::Slot,
    reply::Reply,
    session::{Command, Session, next_reply},
    unit::{self, BEGIN_SNAPSHOT},
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

    fn into_job(self) -> Job {
        match self {
            Self::LookUp(verb, _) | Self::Verb(verb) => Job::Verb(verb),
            Self::Unit(steps) => Job::Unit(Unit { steps }),
        }
    }

    fn is_unit(&self) -> bool {
        matches!(self, Self::Unit(_))
    }

    fn statements(&self, statements: &Statements) -> Vec<Rendered> {
        let of_verb = |verb| one_statement(statements, verb, None);
        match self {
            Self::LookUp(verb, _) | Self::Verb(verb) => of_verb(verb).into_iter().collect(),
            Self::Unit(steps) => steps.iter().filter_map(|step| of_verb(&step.verb)).collect(),
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

fn statements_of(part: &Part, statements: &Statements) -> Vec<Rendered> {
    match part.as_slice() {
        // One look-up needs no array.
        [item] => item.work.statements(statements),
        items => statements.batch(&look_ups(items), None).into_iter().collect(),
    }
}

/// Answers with the replies to the part's statements. What could not be read together, or after others, is handed back to be
/// read alone.
fn answer(mut part: Part, replies: Vec<Result<Reply, Failure>>) -> Vec<Part> {
    if let Some(Err(Failure::Skipped)) = replies.iter().find(|reply| reply.is_err()) {
        return vec![part];
    }
    let is_alone = part.len() == 1;
    if let Some(item) = part.pop_if(|_| is_alone) {
        let (read, caller) = item.split();
        caller.answer(Ok(Answer::Unread(Box::new(Unread { read, replies }))));
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

/// What a read was answered.
#[derive(Debug)]
pub(crate) struct Unread {
    read: Read,
    replies: Vec<Result<Reply, Failure>>,
}

impl Unread {
    /// Reads it.
    pub(super) fn read(self) -> Result<Answer> {
        let mut replies = self.replies.into_iter();
        let answer = match &self.read {
            Read::LookUp(verb, _) | Read::Verb(verb) => next_reply(&mut replies)
                .and_then(Reply::complete)
                .and_then(|reply| outcome(verb, reply).map_err(Failure::Refused))
                .map(Answer::Outcome)
                .map_err(|failure| failure.explained(Some(verb))),
            Read::Unit(steps) => {
                unit::judge(steps, replies).map(|outcomes| Answer::Outcomes(outcomes.unwrap_or_default()))
            }
        };
        answer.map_err(Failure::into_error)
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
pub(super) async fn carry(slot: Slot, session: Session, mut batch: Vec<Item<Read, Answer>>) {
    let is_lone = batch.len() == 1;
    if let Some(item) = batch.pop_if(|_| is_lone) {
        // As if there were no lane.
        let deadline = item.deadline;
        let (read, caller) = item.split();
        return caller.answer(on_a_session(slot, session, read.into_job(), deadline).await);
    }
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
        let mut sending = Sending::new(load, session.statements());
        let commands = std::mem::take(&mut sending.commands);
        let read = timeout_at(deadline, session.read(&commands, |reply| sending.take(reply))).await;
        let Sending { parts, alone, .. } = sending;
        let unanswered: Load = parts.into_iter().map(|coming| coming.part).collect();
        self.put_back(alone);
        match read {
            // Dropped in the middle of a trip, the session is closed; the server cancels by its own deadline.
            Err(_) => answer_all(unanswered.into_iter().flatten(), &timed_out()),
            Ok(Ok(())) => {
                self.session = Some(session);
                self.put_back(unanswered);
            }
            Ok(Err(Failure::Lost(lost))) if !session.reused => {
                self.slot.pool().lost_one();
                answer_all(unanswered.into_iter().flatten(), &lost.into_unavailable());
            }
            Ok(Err(Failure::Lost(_))) => {
                self.slot.pool().lost_one();
                // It had died while it was idle. A new one fails for itself or not at all.
                self.session = Box::pin(self.slot.connect(deadline)).await.ok();
                self.loads.push_front(unanswered);
            }
            Ok(Err(failure)) => {
                self.session = Some(session);
                self.not_sent(unanswered, failure);
            }
        }
    }

    /// When something could not even be sent, nothing was: each tells for itself.
    fn not_sent(&mut self, mut load: Load, failure: Failure) {
        match load.pop() {
            Some(part) if load.is_empty() => {
                let alone = answer(part, vec![Err(failure)]);
                self.put_back(alone);
            }
            last => self.put_back(load.into_iter().chain(last).collect()),
        }
    }

    /// Parts that are to be sent each by itself.
    fn put_back(&mut self, parts: Vec<Part>) {
        self.loads.extend(parts.into_iter().map(|part| vec![part]));
    }
}

/// A load on its way: single reads first, then the units, all of them in one snapshot.
struct Sending {
    commands: Vec<Command>,
    /// What is not answered yet.
    parts: VecDeque<Coming>,
    /// How many replies are to come, of which BEGIN has one too.
    places: usize,
    /// How many came.
    came: usize,
    /// What is to be read again by itself.
    alone: Vec<Part>,
}

/// A part whose replies are coming in.
struct Coming {
    part: Part,
    /// The place of its first reply among all, and how many it gets.
    first: usize,
    count: usize,
    replies: Vec<Result<Reply, Failure>>,
}

impl Sending {
    fn new(load: Load, statements: &Statements) -> Self {
        let (units, singles): (Load, Load) =
            load.into_iter().partition(|part| part.first().is_some_and(|item| item.work.is_unit()));
        let mut sending =
            Self { commands: Vec::new(), parts: VecDeque::new(), places: 0, came: 0, alone: Vec::new() };
        singles.into_iter().for_each(|part| sending.add(part, statements));
        if !units.is_empty() {
            // Nothing may have been read before in a transaction that is to have one snapshot.
            sending.commands.extend([Command::Sync, Command::Plain(BEGIN_SNAPSHOT)]);
            sending.places += 1;
            units.into_iter().for_each(|part| sending.add(part, statements));
            sending.commands.push(Command::Plain("COMMIT"));
        }
        sending
    }

    fn add(&mut self, part: Part, statements: &Statements) {
        let own = statements_of(&part, statements);
        if own.is_empty() {
            return self.alone.extend(answer(part, Vec::new()));
        }
        self.parts.push_back(Coming { part, first: self.places, count: own.len(), replies: Vec::new() });
        self.places += own.len();
        self.commands.extend(own.into_iter().map(Command::Statement));
    }

    /// Takes a reply in, and answers a part whose last it is.
    fn take(&mut self, reply: Result<Reply, Failure>) {
        let place = self.came;
        self.came += 1;
        let Some(coming) = self.parts.front_mut().filter(|coming| place >= coming.first) else { return };
        coming.replies.push(reply);
        if coming.replies.len() == coming.count
            && let Some(Coming { part, replies, .. }) = self.parts.pop_front()
        {
            self.alone.extend(answer(part, replies));
        }
    }
}
