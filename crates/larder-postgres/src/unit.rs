//! A unit on a session: its steps between BEGIN and COMMIT.

use larder_core::{Outcome, Require, Step, Unit, Verb};
use larder_sql::Lock;

use crate::{
    error::Failure,
    session::Session,
    verb::{execute, execute_step},
};

/// Executes the steps, all or nothing.
pub(crate) async fn run(session: &mut Session, unit: &Unit) -> Result<Vec<Outcome>, Failure> {
    match unit.steps.as_slice() {
        [] => Ok(Vec::new()),
        [step] if is_atomic_alone(step) => Ok(vec![alone(session, step).await?]),
        steps => {
            session.begin(begin(steps)).await?;
            let result = in_order(session, steps).await;
            session.end(result).await
        }
    }
}

/// Needs one statement no transaction around it? It does when what it did would have to be undone because its requirement is not
/// met. One that had to find a row and found none has done nothing.
fn is_atomic_alone(step: &Step) -> bool {
    step.verb.is_read() || !matches!(step.require, Require::NoRow { .. })
}

async fn alone(session: &mut Session, step: &Step) -> Result<Outcome, Failure> {
    let outcome = execute(session, &step.verb).await?;
    step.require.check(&outcome).map_err(Failure::Refused)?;
    Ok(outcome)
}

fn begin(steps: &[Step]) -> &'static str {
    if steps.iter().all(|step| step.verb.is_read()) {
        // One snapshot for all of them.
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    } else {
        // Guards see rows as they are when they are changed; what a guard read is locked.
        "BEGIN ISOLATION LEVEL READ COMMITTED"
    }
}

async fn in_order(session: &mut Session, steps: &[Step]) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let outcome = execute_step(session, &step.verb, lock(steps, index)).await?;
        step.require.check(&outcome).map_err(Failure::Refused)?;
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// How the row that a step must find is kept as it is. Among reads the snapshot does it.
fn lock(steps: &[Step], index: usize) -> Option<Lock> {
    let Step { verb: Verb::Get(get), require: Require::Row { .. } } = &steps[index] else { return None };
    let mut writes = steps.iter().map(|step| &step.verb).filter(|verb| !verb.is_read()).peekable();
    writes.peek()?;
    let may_change_it = writes.any(|write| write.table() == get.table);
    Some(if may_change_it { Lock::Update } else { Lock::Share })
}
