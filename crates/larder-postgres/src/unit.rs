//! A unit on a session: its steps between BEGIN and COMMIT.

use larder_core::{Outcome, Require, Step, Unit, Verb};
use larder_sql::{Lock, Statements};

use crate::{
    error::Failure,
    reply::Reply,
    session::{Command, Session, next_reply},
    verb::{execute, execute_step, one_statement, outcome},
};

/// Executes the steps, all or nothing.
pub(crate) async fn run(session: &mut Session, unit: &Unit) -> Result<Vec<Outcome>, Failure> {
    match unit.steps.as_slice() {
        [] => Ok(Vec::new()),
        [step] if is_atomic_alone(step) => Ok(vec![alone(session, step).await?]),
        steps => {
            if let Some(commands) = commands(session.statements(), steps)
                && let Some(outcomes) = together(session, steps, commands).await?
            {
                return Ok(outcomes);
            }
            session.begin(begin(steps)).await?;
            let result = one_by_one(session, steps).await;
            session.end(result).await
        }
    }
}

/// Needs one statement no transaction around it? It does when what it did would have to be undone because its requirement is not
/// met. One that had to find a row and found none has done nothing.
pub(crate) fn is_atomic_alone(step: &Step) -> bool {
    step.verb.is_read() || !matches!(step.require, Require::NoRow { .. })
}

async fn alone(session: &mut Session, step: &Step) -> Result<Outcome, Failure> {
    let outcome = execute(session, &step.verb).await?;
    step.require.check(&outcome).map_err(Failure::Refused)?;
    Ok(outcome)
}

/// One snapshot for all that is read.
pub(crate) const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Guards see rows as they are when they are changed; what a guard read is locked.
pub(crate) const BEGIN_WRITES: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

fn begin(steps: &[Step]) -> &'static str {
    if is_read(steps) { BEGIN_SNAPSHOT } else { BEGIN_WRITES }
}

fn is_read(steps: &[Step]) -> bool {
    steps.iter().all(|step| step.verb.is_read())
}

/// What is sent for the steps: reads in a transaction with one snapshot; writes that nothing but an error can speak against as
/// they are, for the server commits or rolls back what it was sent at once; other writes behind a BEGIN, and the decision is to
/// follow. `None` when a step is more than a statement.
pub(crate) fn commands(statements: &Statements, steps: &[Step]) -> Option<Vec<Command>> {
    let of_steps = steps.iter().enumerate().map(|(index, step)| {
        one_statement(statements, &step.verb, lock(steps, index)).map(Command::Statement)
    });
    let begin = (!is_decided(steps) || is_read(steps)).then(|| Some(Command::Plain(begin(steps))));
    let commit = is_read(steps).then_some(Some(Command::Plain("COMMIT")));
    begin.into_iter().chain(of_steps).chain(commit).collect()
}

/// Is it certain that all is to last if nothing fails?
pub(crate) fn is_decided(steps: &[Step]) -> bool {
    is_read(steps) || steps.iter().all(always_holds)
}

/// Is a step that raises no error always done, whatever its statement answered?
pub(crate) fn always_holds(step: &Step) -> bool {
    // A sum may turn out to be too large when it is read.
    let may_be_refused = matches!(step.verb, Verb::Aggregate(_));
    step.require == Require::Anything && !may_be_refused && !may_have_to_explain(&step.verb)
}

/// When its statement changes no row, is there more to ask?
pub(crate) fn may_have_to_explain(verb: &Verb) -> bool {
    match verb {
        Verb::Update(update) => update.adds(),
        Verb::Upsert(_) => true,
        _ => false,
    }
}

/// All steps in one round trip, and the decision in another where one is to be made. `None` when nothing was done because a
/// step has to be looked at more closely.
async fn together(
    session: &mut Session,
    steps: &[Step],
    commands: Vec<Command>,
) -> Result<Option<Vec<Outcome>>, Failure> {
    let is_decided = is_decided(steps);
    let before_commit = |failure: Failure| if is_decided { failure } else { failure.before_commit() };
    let mut replies = session.trip(&commands).await.map_err(before_commit)?.into_iter();
    let begins = commands.first().is_some_and(|first| matches!(first, Command::Plain(_)));
    let begun = if begins { next_reply(&mut replies).map(drop) } else { Ok(()) };
    let judged = begun.and_then(|()| judge(steps, replies));
    match judged {
        judged if !session.is_in_transaction() => judged,
        Ok(None) => session.script("ROLLBACK").await.map(|()| None),
        judged => session.end(judged).await,
    }
}

/// The outcomes; `None` when one has to be looked at more closely; else the error of the first step that failed or did not
/// find what it requires, which kept those after it from mattering.
pub(crate) fn judge(
    steps: &[Step],
    mut replies: impl Iterator<Item = Result<Reply, Failure>>,
) -> Result<Option<Vec<Outcome>>, Failure> {
    let mut outcomes = Vec::with_capacity(steps.len());
    for step in steps {
        let reply = next_reply(&mut replies)
            .and_then(Reply::complete)
            .map_err(|failure| failure.explained(Some(&step.verb)))?;
        let outcome = outcome(&step.verb, reply).map_err(Failure::Refused)?;
        if outcome.rows() == 0 && may_have_to_explain(&step.verb) {
            return Ok(None);
        }
        step.require.check(&outcome).map_err(Failure::Refused)?;
        outcomes.push(outcome);
    }
    Ok(Some(outcomes))
}

async fn one_by_one(session: &mut Session, steps: &[Step]) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let outcome = execute_step(session, &step.verb, lock(steps, index)).await?;
        step.require.check(&outcome).map_err(Failure::Refused)?;
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// How the row that a step must find is kept as it is. Among reads the snapshot does it.
pub(crate) fn lock(steps: &[Step], index: usize) -> Option<Lock> {
    let Step { verb: Verb::Get(get), require: Require::Row { .. } } = &steps[index] else { return None };
    let mut writes = steps.iter().map(|step| &step.verb).filter(|verb| !verb.is_read()).peekable();
    writes.peek()?;
    let may_change_it = writes.any(|write| write.table() == get.table);
    Some(if may_change_it { Lock::Update } else { Lock::Share })
}
