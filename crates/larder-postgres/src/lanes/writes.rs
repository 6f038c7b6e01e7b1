//! The lanes of writes and of claims: statements of one shape in one, all of a batch in one commit.
//!
//! A batch is a transaction: BEGIN, the statements of each group, COMMIT, in one round trip where nothing but an error can
//! speak against the commit, else in two. A group is verbs or units of one shape, no two of which mean the same row, so that
//! their first steps can be one statement, their second steps the next, and so on.

use std::collections::{HashSet, VecDeque};

use larder_core::{Error, ErrorKind, Outcome, Require, Result, Step, Unit, Verb, lane::Item};
use larder_sql::{Batchable, Rendered, RowKey, Statements, batch_answers};
use tokio::time::{timeout, timeout_at};

use super::{answer_all, deadline, timed_out};
use crate::{
    call::{Answer, Job, call_by, on_a_session},
    error::Failure,
    pool::{BATCH_LOCK_TIMEOUT, Slot},
    reply::Reply,
    session::{Command, Session, next_reply},
    unit::{BEGIN_WRITES, always_holds, is_atomic_alone, lock, may_have_to_explain},
    verb::{one_statement, outcome},
};

type Waiting = Item<Write, Answer>;

/// A verb or a unit in the lane.
#[derive(Debug)]
pub(crate) struct Write {
    steps: Vec<Step>,
    /// Of each step how it travels with others of its shape; empty when one cannot, and the write has statements of its own.
    parts: Vec<Batchable>,
    /// The rows that it means.
    rows: Vec<RowKey>,
    is_unit: bool,
}

impl Write {
    /// A verb, or back when it cannot travel with others.
    #[expect(clippy::result_large_err, reason = "what is handed back is no error")]
    pub(super) fn verb(verb: Verb) -> Result<Self, Verb> {
        if !may_travel(&verb) {
            return Err(verb);
        }
        Ok(Self::new(vec![Step { verb, require: Require::Anything }], false))
    }

    /// A unit, or back when it cannot travel with others.
    pub(super) fn unit(unit: Unit) -> Result<Self, Unit> {
        if !unit.steps.iter().all(|step| may_travel(&step.verb)) {
            return Err(unit);
        }
        Ok(Self::new(unit.steps, true))
    }

    fn new(steps: Vec<Step>, is_unit: bool) -> Self {
        let parts: Option<Vec<_>> = steps.iter().map(|step| Batchable::new(&step.verb)).collect();
        let rows: Vec<_> = if is_unit {
            steps.iter().filter_map(|step| RowKey::of(&step.verb)).collect()
        } else {
            parts.iter().flatten().filter_map(|part| part.row().cloned()).collect()
        };
        let may_be_mixed = !is_unit || may_be_mixed(&steps, &rows);
        Self { steps, parts: parts.filter(|_| may_be_mixed).unwrap_or_default(), rows, is_unit }
    }

    /// Can it be the same statements as that one?
    fn joins(&self, other: &Self) -> bool {
        !self.parts.is_empty()
            && self.parts.len() == other.parts.len()
            && self.is_unit == other.is_unit
            && self.steps.iter().zip(&other.steps).all(|(own, other)| own.require == other.require)
            && self.pairs().zip(other.pairs()).all(|((verb, part), other)| part.joins(verb, other))
    }

    fn pairs(&self) -> impl Iterator<Item = (&Verb, &Batchable)> {
        self.steps.iter().map(|step| &step.verb).zip(&self.parts)
    }

    /// Is it decided when its statements have been executed, because it does nothing that would have to be undone?
    fn is_decided(&self) -> bool {
        match self.steps.as_slice() {
            [step] => is_atomic_alone(step),
            steps => steps.iter().all(always_holds),
        }
    }

    fn into_job(mut self) -> Job {
        let is_verb = self.steps.len() == 1 && !self.is_unit;
        match self.steps.pop_if(|_| is_verb) {
            Some(step) => Job::Verb(step.verb),
            None => Job::Unit(Unit { steps: self.steps }),
        }
    }
}

/// Is it one statement that touches few rows?
fn may_travel(verb: &Verb) -> bool {
    match verb {
        Verb::Get(_) | Verb::Insert(_) | Verb::Upsert(_) => true,
        Verb::Claim(claim) => claim.limit > 0,
        Verb::Update(update) => update.key.is_some(),
        Verb::Delete(delete) => delete.key.is_some() && delete.limit.is_none(),
        Verb::Select(_) | Verb::Count(_) | Verb::Aggregate(_) => false,
    }
}

/// Is it the same whether its steps come one after the other, or after those of other units that mean other rows? What is
/// deleted takes others along, and a row may be meant by one key here and by another there.
fn may_be_mixed(steps: &[Step], rows: &[RowKey]) -> bool {
    let deletes = steps.iter().any(|step| matches!(step.verb, Verb::Delete(_)));
    let one_key_a_table = rows.iter().all(|row| rows.iter().all(|other| row.is_named_alike(other)));
    !deletes && one_key_a_table
}

/// Writes that are the same statements, in the order of the rows that they mean.
type Group = Vec<Waiting>;

/// The batch in groups, in the order in which their first came.
fn grouped(batch: Vec<Waiting>) -> Vec<Group> {
    let mut groups: Vec<(Group, HashSet<RowKey>)> = Vec::new();
    for item in batch {
        let fits = |(group, rows): &(Group, HashSet<RowKey>)| {
            item.work.joins(&group[0].work) && !item.work.rows.iter().any(|row| rows.contains(row))
        };
        let rows = item.work.rows.clone();
        let found = groups.iter().position(fits).unwrap_or_else(|| {
            groups.push(Default::default());
            groups.len() - 1
        });
        groups[found].1.extend(rows);
        groups[found].0.push(item);
    }
    let sorted = groups.into_iter().map(|(mut group, _)| {
        group.sort_by(|one, other| one.work.rows.cmp(&other.work.rows));
        group
    });
    sorted.collect()
}

/// The statements of a group, one for each step. `None` when one would be too large.
fn statements_of(group: &[Waiting], statements: &Statements) -> Option<Vec<Rendered>> {
    let steps = &group.first()?.work.steps;
    let of_step = |index: usize| {
        let lock = lock(steps, index);
        if group.len() == 1 {
            return one_statement(statements, &steps[index].verb, lock);
        }
        statements.batch(&step_of_all(group, index), lock)
    };
    (0..steps.len()).map(of_step).collect()
}

fn step_of_all(group: &[Waiting], index: usize) -> Vec<(&Verb, &Batchable)> {
    group.iter().filter_map(|item| item.work.pairs().nth(index)).collect()
}

/// The outcomes of each write of a group, from the replies to its statements; an error where a row cannot be read.
fn outcomes(group: &[Waiting], replies: Vec<Reply>) -> Vec<Vec<Result<Outcome>>> {
    let mut of_items: Vec<Vec<_>> = group.iter().map(|_| Vec::with_capacity(replies.len())).collect();
    for (index, reply) in replies.into_iter().enumerate() {
        let mut reply = reply.read();
        let unreadable = reply.unreadable.take();
        let answers = match group {
            [item] => vec![outcome(&item.work.steps[index].verb, reply)],
            group => batch_answers(&step_of_all(group, index), reply.rows).into_iter().map(Ok).collect(),
        };
        // It is the row of one that found none.
        let read = |answer: Result<Outcome>| match (&answer, &unreadable) {
            (Ok(outcome), Some(error)) if outcome.rows() == 0 => Err(error.clone()),
            _ => answer,
        };
        of_items.iter_mut().zip(answers).for_each(|(outcomes, answer)| outcomes.push(read(answer)));
    }
    of_items
}

/// What the outcomes of a write mean.
enum Verdict {
    /// It is done.
    Done(Answer),
    /// It is not: this is its error.
    Refused(Error),
    /// A statement changed nothing, and alone it will be told why.
    Unexplained,
}

fn verdict(write: &Write, outcomes: Vec<Result<Outcome>>) -> Verdict {
    let mut found = Vec::with_capacity(outcomes.len());
    for (step, outcome) in write.steps.iter().zip(outcomes) {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => return Verdict::Refused(error),
        };
        if outcome.rows() == 0 && may_have_to_explain(&step.verb) {
            return Verdict::Unexplained;
        }
        if let Err(error) = step.require.check(&outcome) {
            return Verdict::Refused(error);
        }
        found.push(outcome);
    }
    Verdict::Done(match found.pop() {
        Some(outcome) if !write.is_unit => Answer::Outcome(outcome),
        last => {
            found.extend(last);
            Answer::Outcomes(found)
        }
    })
}

/// Groups that are one transaction.
type Load = Vec<Group>;

/// One batch on one slot.
pub(super) async fn carry(slot: Slot, session: Session, mut batch: Vec<Waiting>) {
    let is_lone = batch.len() == 1 && !session.for_batches;
    if let Some(item) = batch.pop_if(|_| is_lone) {
        return lone(slot, session, item).await;
    }
    let mut trips = Trips { slot, loads: VecDeque::from([grouped(batch)]), session: Some(session) };
    while let Some(load) = trips.loads.pop_front() {
        trips.make(load).await;
    }
    if let Some(session) = trips.session {
        trips.slot.give_back(session).await;
    }
}

/// A write that has nobody to travel with goes as if there were no lane. When it has to wait, for somebody's lock, it does not
/// keep the next carrier waiting.
async fn lone(slot: Slot, session: Session, item: Waiting) {
    let deadline = item.deadline;
    let (write, caller) = item.split();
    let mut call = Box::pin(on_a_session(slot, session, write.into_job(), deadline));
    match timeout(BATCH_LOCK_TIMEOUT, &mut call).await {
        Ok(answer) => caller.answer(answer),
        Err(_) => {
            tokio::spawn(async move { caller.answer(call.await) });
        }
    }
}

/// What is still to be carried, and by what.
struct Trips {
    slot: Slot,
    loads: VecDeque<Load>,
    session: Option<Session>,
}

/// How the statements of a load ended.
enum Ended {
    /// All were executed, and what they did is committed, if it was decided; else it is to be.
    Executed(Vec<Vec<Reply>>),
    /// A statement was refused; nothing of any is there.
    Refused(Refusal),
}

/// A statement that was refused.
struct Refusal {
    failure: Failure,
    /// The replies to the statements of its group before it.
    before: Vec<Reply>,
}

impl Trips {
    async fn make(&mut self, load: Load) {
        let deadline = deadline(load.iter().flatten());
        let session = match self.session.take() {
            Some(session) => Ok(session),
            None => Box::pin(self.slot.batch_session(deadline)).await,
        };
        let mut session = match session {
            Ok(session) => session,
            Err(error) => return answer_all(load.into_iter().flatten(), &error),
        };
        let Some(plan) = Plan::new(&load, session.statements()) else {
            self.session = Some(session);
            return self.split(load);
        };
        match timeout_at(deadline, execute(&mut session, &load, plan)).await {
            // Dropped in the middle of a trip, the session is closed; the server cancels by its own deadline.
            Err(_) => answer_all(load.into_iter().flatten(), &timed_out()),
            Ok(Err(Failure::Lost(lost))) => {
                self.slot.pool().lost_one();
                if session.reused && lost.nothing_applied {
                    // It had died while it was idle. A new one fails for itself or not at all.
                    self.loads.push_front(load);
                } else {
                    answer_all(load.into_iter().flatten(), &lost.into_write_error());
                }
            }
            Ok(Err(failure)) => {
                self.session = Some(session);
                let failure =
                    failure.explained(load.iter().flatten().next().map(|item| &item.work.steps[0].verb));
                self.refused(load, Refusal { failure, before: Vec::new() });
            }
            Ok(Ok(Ended::Refused(refusal))) => {
                self.session = Some(session);
                self.refused(load, refusal);
            }
            Ok(Ok(Ended::Executed(replies))) => self.executed(session, load, replies).await,
        }
    }

    /// Commits what is still to be committed, unless some of it must not be, and answers.
    async fn executed(&mut self, mut session: Session, load: Load, replies: Vec<Vec<Reply>>) {
        let is_decided = is_decided(&load);
        let verdicts: Vec<Vec<Verdict>> = load
            .iter()
            .zip(replies)
            .map(|(group, replies)| {
                let outcomes = outcomes(group, replies);
                group.iter().zip(outcomes).map(|(item, outcomes)| verdict(&item.work, outcomes)).collect()
            })
            .collect();
        let all_done = verdicts.iter().flatten().all(|verdict| matches!(verdict, Verdict::Done(_)));
        if !is_decided {
            let command = if all_done { "COMMIT" } else { "ROLLBACK" };
            let ended = timeout_at(deadline(load.iter().flatten()), session.script(command)).await;
            let failure = match ended {
                Ok(Ok(())) => None,
                Ok(Err(failure)) => Some(failure),
                Err(_) => Some(Failure::Refused(timed_out())),
            };
            if let Some(failure) = failure {
                let error = match failure {
                    Failure::Lost(lost) => {
                        self.slot.pool().lost_one();
                        if all_done { lost.into_write_error() } else { lost.into_unavailable() }
                    }
                    failure => failure.into_error(),
                };
                return answer_all(load.into_iter().flatten(), &error);
            }
        }
        self.session = Some(session);
        let is_there = is_decided || all_done;
        let mut again: Load = Vec::new();
        for (group, verdicts) in load.into_iter().zip(verdicts) {
            let mut rest = Vec::new();
            for (item, verdict) in group.into_iter().zip(verdicts) {
                match verdict {
                    Verdict::Done(answer) if is_there => item.answer(Ok(answer)),
                    Verdict::Done(_) => rest.push(item),
                    Verdict::Refused(error) => item.answer(Err(error)),
                    Verdict::Unexplained => self.alone(item),
                }
            }
            again.extend((!rest.is_empty()).then_some(rest));
        }
        if !again.is_empty() {
            self.loads.push_front(again);
        }
    }

    /// Nothing of a refused load is there, and only some of it is to blame.
    fn refused(&mut self, load: Load, refusal: Refusal) {
        let Refusal { failure, before } = refusal;
        let error = failure.into_error();
        if *error.kind() == ErrorKind::Busy {
            // Somebody else holds a row. Whoever means it waits for it, and the others do not.
            return load.into_iter().flatten().for_each(|item| self.alone(item));
        }
        if load.iter().map(Vec::len).sum::<usize>() > 1 {
            return self.split(load);
        }
        for item in load.into_iter().flatten() {
            // An earlier step that did not find what it requires would have kept the refused one from being executed.
            let outcomes = outcomes(std::slice::from_ref(&item), before.clone()).swap_remove(0);
            match verdict(&item.work, outcomes) {
                Verdict::Done(_) => item.answer(Err(error.clone())),
                Verdict::Refused(earlier) => item.answer(Err(earlier)),
                Verdict::Unexplained => self.alone(item),
            }
        }
    }

    /// Each group by itself, or the one group in halves.
    fn split(&mut self, mut load: Load) {
        if load.len() > 1 {
            load.into_iter().rev().for_each(|group| self.loads.push_front(vec![group]));
            return;
        }
        let Some(mut group) = load.pop() else { return };
        if group.len() == 1 {
            return group.into_iter().for_each(|item| self.alone(item));
        }
        let second_half = group.split_off(group.len() / 2);
        self.loads.push_front(vec![second_half]);
        self.loads.push_front(vec![group]);
    }

    /// Leaves a write to a task of its own, on a connection of its own, with all the time that its caller gives it.
    fn alone(&self, item: Waiting) {
        let pool = self.slot.shared_pool();
        tokio::spawn(async move {
            let deadline = item.deadline;
            let (write, caller) = item.split();
            caller.answer(call_by(&pool, write.into_job(), deadline).await);
        });
    }
}

/// Is a load decided when its statements have been executed?
fn is_decided(load: &Load) -> bool {
    load.iter().flatten().all(|item| item.work.is_decided())
}

/// What is sent for a load.
struct Plan {
    commands: Vec<Command>,
    /// How many statements each group has.
    counts: Vec<usize>,
}

impl Plan {
    /// The statements: all of them are committed or none, for they are sent at once. Where that is not decided yet, BEGIN
    /// keeps them from being committed.
    fn new(load: &Load, statements: &Statements) -> Option<Self> {
        let of_groups: Vec<Vec<Rendered>> =
            load.iter().map(|group| statements_of(group, statements)).collect::<Option<_>>()?;
        let counts: Vec<usize> = of_groups.iter().map(Vec::len).collect();
        let begin = (!is_decided(load)).then_some(Command::Plain(BEGIN_WRITES));
        let statements = of_groups.into_iter().flatten().map(Command::Statement);
        Some(Self { commands: begin.into_iter().chain(statements).collect(), counts })
    }
}

async fn execute(session: &mut Session, load: &Load, plan: Plan) -> Result<Ended, Failure> {
    let is_decided = is_decided(load);
    let before_commit = |failure: Failure| if is_decided { failure } else { failure.before_commit() };
    let mut replies = session.trip(&plan.commands).await.map_err(before_commit)?.into_iter();
    if !is_decided {
        // BEGIN.
        next_reply(&mut replies)?;
    }
    let mut executed = Vec::with_capacity(plan.counts.len());
    let mut refused = None;
    for (group, count) in load.iter().zip(plan.counts) {
        let mut of_group = Vec::with_capacity(count);
        for (position, reply) in replies.by_ref().take(count).enumerate() {
            match reply {
                Ok(reply) => of_group.push(reply),
                Err(failure) if refused.is_none() => {
                    let verb = group[0].work.steps.get(position).map(|step| &step.verb);
                    refused = Some(Refusal { failure: failure.explained(verb), before: of_group.clone() });
                }
                // What follows an error is skipped because of it.
                Err(_) => {}
            }
        }
        executed.push(of_group);
    }
    let Some(refusal) = refused else { return Ok(Ended::Executed(executed)) };
    if session.is_in_transaction() {
        session.script("ROLLBACK").await.map_err(Failure::before_commit)?;
    }
    Ok(Ended::Refused(refusal))
}
