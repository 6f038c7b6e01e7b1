//! Units that travel together: as a group of writes in one transaction, or as reads beside each other.

use larder_core::{Error, ErrorKind, Result, Unit};
use libsql_hrana::proto::BatchStep;
use tokio::time::Instant;

use super::{
    error::{Lost, failure},
    pipeline::{Server, nothing},
    plan::{Plan, Verdict, is_one_statement, plan},
    script::{Answer, Answers, Script},
};
use crate::statement::Failure;

/// How a group of writes ended.
pub(crate) enum Group {
    /// It was executed, and what did not fail was committed; how each of its units ended.
    Committed(Vec<Verdict>),
    /// Nothing was written, because of this.
    Refused(Error),
}

/// Executes writes in one transaction, such that each fails alone. `None`, having sent nothing, when one of them cannot be sent
/// whole.
pub(crate) async fn write(
    server: &Server,
    units: &[&Unit],
    deadline: Instant,
) -> Option<Result<Group, Lost>> {
    let mut script = Script::default();
    if let [unit] = units
        && is_one_statement(unit)
    {
        // It needs no transaction around it.
        let plan = plan(&server.statements, unit, &mut script)?;
        let sent = send(server, script.into_steps(), deadline).await;
        return Some(sent.map(|sent| match sent {
            Ok(mut answers) => Group::Committed(vec![plan.verdict(unit, &mut answers)]),
            Err(failure) => Group::Refused(failure.into()),
        }));
    }
    let begin = script.begin("BEGIN IMMEDIATE");
    let mut plans: Vec<Plan> = Vec::with_capacity(units.len());
    for unit in units {
        let write = |script: &mut Script| plan(&server.statements, unit, script);
        plans.push(match units.len() {
            1 => write(&mut script)?,
            _ if is_one_statement(unit) => script.alone(write)?,
            _ => script.apart(write)?,
        });
    }
    let commit = if units.len() == 1 { script.commit_if_well() } else { script.commit() };
    let sent = send(server, script.into_steps(), deadline).await;
    Some(sent.map(|sent| match sent {
        Ok(answers) => group(units, &plans, begin, commit, answers),
        Err(failure) => Group::Refused(failure.into()),
    }))
}

async fn send(
    server: &Server,
    steps: Vec<BatchStep>,
    deadline: Instant,
) -> Result<Result<Answers, Failure>, Lost> {
    let mut results = server.batches(vec![steps], deadline).await?;
    Ok(results.pop().unwrap_or_else(|| Err(Failure::Other(nothing()))).map(Answers::new))
}

fn group(units: &[&Unit], plans: &[Plan], begin: u32, commit: u32, mut answers: Answers) -> Group {
    if let Answer::Err(error) = answers.take(begin) {
        return Group::Refused(failure(error).into());
    }
    let verdicts = units.iter().zip(plans).map(|(unit, plan)| plan.verdict(unit, &mut answers));
    let verdicts: Vec<_> = verdicts.collect();
    match answers.take(commit) {
        Answer::Ok(_) => Group::Committed(verdicts),
        Answer::Err(error) => Group::Refused(failure(error).into()),
        // A unit that is alone is rolled back when it fails; its verdict says why.
        Answer::NotRun if matches!(verdicts[..], [Verdict::Failed(_) | Verdict::Unexplained]) => {
            Group::Committed(verdicts)
        }
        Answer::NotRun => {
            let context = "the server ended the transaction; nothing of it was written";
            Group::Refused(Error::new(ErrorKind::Contention, context))
        }
    }
}

/// Executes units that only read, beside each other in one request. Each sees one state of the database.
pub(crate) async fn read(
    server: &Server,
    units: &[&Unit],
    deadline: Instant,
) -> Result<Vec<Result<Verdict, Failure>>, Lost> {
    let (mut scripts, mut plans) = (Vec::with_capacity(units.len()), Vec::with_capacity(units.len()));
    for unit in units {
        let mut script = Script::default();
        let is_whole = unit.steps.len() > 1;
        if is_whole {
            script.begin("BEGIN");
        }
        // Reads can always be planned.
        plans.push(plan(&server.statements, unit, &mut script));
        if is_whole {
            script.commit();
        }
        scripts.push(script.into_steps());
    }
    let results = server.batches(scripts, deadline).await?;
    let verdict = |((unit, plan), result): ((&&Unit, &Option<Plan>), Result<_, Failure>)| {
        let answers = &mut Answers::new(result?);
        Ok(plan.as_ref().map_or(Verdict::Unexplained, |plan| plan.verdict(unit, answers)))
    };
    Ok(units.iter().zip(&plans).zip(results).map(verdict).collect())
}
