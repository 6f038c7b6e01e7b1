//! Verbs and units as scripts, and the scripts' answers as theirs.
//!
//! What can go otherwise than well is not all told apart here. A script is written such that, when all of it went well, what
//! happened is what [`execute`](crate::execute::execute) would have done; when it did not, nothing was written, and who is
//! not content with that executes the verb again, statement by statement.

use larder_core::{
    Claim, Delete, Error, Get, Insert, Outcome, Require, Result, Row, Unit, Update, Upsert, Value, Verb,
};
use larder_sql::{
    Dialect, Rendered, Returns, Statements, conflict_probe, count_goes_by_search, select_goes_by_search,
};

use super::{
    error::failure,
    script::{Answer, Answers, Script},
    wire::outcome,
};
use crate::{
    call::Work,
    execute::{number, refers_to_itself, rows},
    explain::{finish, first_taken, is_taken_key},
    statement::Failure,
};

const SQLITE: Dialect = Dialect::Sqlite;

/// Where in a script the statements of a unit are.
pub(crate) struct Plan(Vec<Planned>);

struct Planned {
    verb: Places,
    /// Guards without which the verb's answer would be another one.
    guards: Vec<u32>,
    requirement: Option<u32>,
}

/// Where a verb's statements are.
enum Places {
    /// Nothing to do.
    None,
    /// One statement.
    One(u32, Returns),
    /// The first or the second, whichever ran.
    Either(u32, u32, Returns),
    /// A statement for so many rows each, and which keys of a single row are taken when it fails.
    Insert { chunks: Vec<(u32, u64)>, taken: Option<u32> },
    /// How many were met, and their deletion.
    Counted { met: u32, delete: u32, limit: Option<u64> },
    /// The keys in their order, and the rows.
    Claim { keys: u32, rows: u32 },
}

/// How a unit ended.
pub(crate) enum Verdict {
    /// It did what it was to do.
    Done(Vec<Outcome>),
    /// It failed with this error; nothing of it was written.
    Failed(Error),
    /// It failed, nothing of it was written, and the script does not say why.
    Unexplained,
    /// It was not executed, because the transaction was not open (any more).
    NotRun,
}

/// Writes a unit. `None`, having written nothing, when it can only be executed statement by statement.
pub(crate) fn plan(statements: &Statements, unit: &Unit, script: &mut Script) -> Option<Plan> {
    let is_read = unit.is_read();
    if !unit.steps.iter().all(|step| can_be_planned(&step.verb, is_read)) {
        return None;
    }
    let planned = unit.steps.iter().map(|step| {
        let mut guards = Vec::new();
        let verb = plan_verb(statements, &step.verb, script, &mut guards);
        let requirement = plan_requirement(statements, &step.verb, &step.require, script);
        Planned { verb, guards, requirement }
    });
    Some(Plan(planned.collect()))
}

fn can_be_planned(verb: &Verb, is_read: bool) -> bool {
    match verb {
        // Whether a sum is an integer is known here, and too late for what else the unit writes.
        Verb::Aggregate(aggregate) => is_read || aggregate.sums.is_empty(),
        Verb::Delete(delete) => !is_self_referring(delete) || !delete.returning,
        _ => true,
    }
}

fn is_self_referring(delete: &Delete) -> bool {
    delete.key.is_none() && refers_to_itself(delete.table)
}

/// Is a unit one statement, which undoes itself when it fails?
pub(crate) fn is_one_statement(unit: &Unit) -> bool {
    let [step] = &unit.steps[..] else { return false };
    step.require == Require::Anything
        && match &step.verb {
            Verb::Insert(insert) => insert.rows.len() <= 1,
            Verb::Update(update) => update.key.is_some() && !update.adds(),
            Verb::Delete(delete) => !is_self_referring(delete),
            Verb::Upsert(_) | Verb::Claim(_) => false,
            Verb::Get(_) | Verb::Select(_) | Verb::Count(_) | Verb::Aggregate(_) => true,
        }
}

fn plan_verb(statements: &Statements, verb: &Verb, script: &mut Script, guards: &mut Vec<u32>) -> Places {
    match verb {
        Verb::Get(get) => one(script, &statements.get(get)),
        Verb::Select(select) => {
            let scan = statements.select(select);
            match select_goes_by_search(select) {
                None => one(script, &scan),
                Some(question) => {
                    either(script, &question.into(), &statements.select_by_search(select), scan)
                }
            }
        }
        Verb::Count(count) => {
            let scan = statements.count(count);
            match count_goes_by_search(count) {
                None => one(script, &scan),
                Some(question) => either(script, &question.into(), &statements.count_by_search(count), scan),
            }
        }
        Verb::Aggregate(aggregate) => one(script, &statements.aggregate(aggregate)),
        Verb::Insert(insert) => plan_insert(statements, insert, script),
        Verb::Update(update) => plan_update(statements, update, script, guards),
        Verb::Delete(delete) => plan_delete(statements, delete, script),
        Verb::Upsert(upsert) => plan_upsert(statements, upsert, script, guards),
        Verb::Claim(claim) => plan_claim(statements, claim, script),
    }
}

fn one(script: &mut Script, rendered: &Rendered) -> Places {
    Places::One(script.must(rendered), rendered.returns.clone())
}

fn either(script: &mut Script, question: &Rendered, yes: &Rendered, no: Rendered) -> Places {
    let (yes, other) = script.either(question, yes, &no);
    Places::Either(yes, other, no.returns)
}

fn plan_insert(statements: &Statements, insert: &Insert, script: &mut Script) -> Places {
    let chunks =
        statements.insert(insert).map(|(rows, rendered)| (script.must(&rendered), rows.len() as u64));
    let chunks: Vec<_> = chunks.collect();
    let taken = match (&insert.rows[..], &chunks[..]) {
        ([row], [(step, _)]) => {
            let probe = conflict_probe(SQLITE, insert.table, row);
            (!probe.keys.is_empty()).then(|| script.if_failed(*step, &probe.statement.into()))
        }
        _ => None,
    };
    if chunks.is_empty() { Places::None } else { Places::Insert { chunks, taken } }
}

fn plan_update(
    statements: &Statements,
    update: &Update,
    script: &mut Script,
    guards: &mut Vec<u32>,
) -> Places {
    let place = one(script, &statements.update(update));
    // That no row is changed must not be because a sum overflows.
    if let Some(probe) = larder_sql::add_probe(SQLITE, update) {
        let probe = Rendered::from(probe);
        let condition = format!("changes() > 0 OR NOT EXISTS ({})", probe.text);
        guards.push(script.must_hold(&condition, Some(&probe)));
    }
    place
}

fn plan_delete(statements: &Statements, delete: &Delete, script: &mut Script) -> Places {
    let rendered = statements.delete(delete);
    if !is_self_referring(delete) {
        return one(script, &rendered);
    }
    let Delete { table, owner, filter, limit, .. } = delete.clone();
    let met = script.must(&statements.count(&larder_core::Count { table, owner, filter }));
    Places::Counted { met, delete: script.must(&rendered), limit }
}

fn plan_upsert(
    statements: &Statements,
    upsert: &Upsert,
    script: &mut Script,
    guards: &mut Vec<u32>,
) -> Places {
    let place = one(script, &statements.upsert(upsert));
    guards.push(script.must_hold("changes() > 0", None));
    place
}

fn plan_claim(statements: &Statements, claim: &Claim, script: &mut Script) -> Places {
    let keys = script.must(&statements.claim(claim));
    let rows = script.must(&larder_sql::claim_at_once(claim).into());
    Places::Claim { keys, rows }
}

/// A guard for what the step must find: no more than the first answer that does not meet it is known later.
fn plan_requirement(
    statements: &Statements,
    verb: &Verb,
    require: &Require,
    script: &mut Script,
) -> Option<u32> {
    let wanted = match require {
        Require::Anything => return None,
        Require::Row { .. } => true,
        Require::NoRow { .. } => false,
    };
    let not = if wanted { "" } else { "NOT " };
    let exists = |rendered: &Rendered| format!("{not}EXISTS ({})", rendered.text);
    Some(match verb {
        Verb::Get(get) => hold(script, &statements.get(get), exists),
        Verb::Select(select) => hold(script, &statements.select(select), exists),
        Verb::Count(count) => {
            hold(script, &statements.count(count), |rendered| format!("{not}(({}) > 0)", rendered.text))
        }
        Verb::Aggregate(aggregate) => hold(script, &statements.aggregate(aggregate), exists),
        Verb::Insert(insert) => {
            let found = if insert.rows.is_empty() { "FALSE" } else { "TRUE" };
            script.must_hold(&format!("{not}{found}"), None)
        }
        Verb::Update(_) | Verb::Delete(_) | Verb::Upsert(_) | Verb::Claim(_) => {
            script.must_hold(&format!("{not}(changes() > 0)"), None)
        }
    })
}

fn hold(script: &mut Script, rendered: &Rendered, condition: impl FnOnce(&Rendered) -> String) -> u32 {
    script.must_hold(&condition(rendered), Some(rendered))
}

impl Plan {
    /// How the unit ended, by what its script answered.
    pub(crate) fn verdict(&self, unit: &Unit, answers: &mut Answers) -> Verdict {
        let mut outcomes = Vec::with_capacity(unit.steps.len());
        for (step, planned) in unit.steps.iter().zip(&self.0) {
            match planned.answer(&step.verb, &step.require, answers) {
                Ok(outcome) => outcomes.push(outcome),
                Err(verdict) => return verdict,
            }
        }
        Verdict::Done(outcomes)
    }
}

impl Planned {
    fn answer(&self, verb: &Verb, require: &Require, answers: &mut Answers) -> Result<Outcome, Verdict> {
        let outcome = self.verb.answer(verb, answers)?;
        for guard in &self.guards {
            taken(answers.take(*guard), |_| Verdict::Unexplained)?;
        }
        if let Some(requirement) = self.requirement {
            taken(answers.take(requirement), |error| match require {
                Require::Row { otherwise } | Require::NoRow { otherwise } if is_not_met(&error) => {
                    Verdict::Failed(Error::new(otherwise.clone(), ""))
                }
                _ => Verdict::Failed(failure(error).into()),
            })?;
        }
        Ok(outcome)
    }
}

/// Did a guard fail because of its condition, and not because of the server?
fn is_not_met(error: &libsql_hrana::proto::Error) -> bool {
    error.message.ends_with("malformed JSON")
}

fn taken(
    answer: Answer,
    failed: impl FnOnce(libsql_hrana::proto::Error) -> Verdict,
) -> Result<libsql_hrana::proto::StmtResult, Verdict> {
    match answer {
        Answer::Ok(result) => Ok(result),
        Answer::Err(error) => Err(failed(error)),
        Answer::NotRun => Err(Verdict::NotRun),
    }
}

/// The error of a verb's statement: what the database refuses is explained by executing it again.
fn refused(error: libsql_hrana::proto::Error) -> Verdict {
    match failure(error) {
        Failure::Sqlite(error) if error.is_constraint() => Verdict::Unexplained,
        failure => Verdict::Failed(failure.into()),
    }
}

fn read(returns: &Returns, result: libsql_hrana::proto::StmtResult) -> Result<Outcome, Verdict> {
    outcome(returns, result).map_err(|failure| Verdict::Failed(failure.into()))
}

impl Places {
    fn answer(&self, verb: &Verb, answers: &mut Answers) -> Result<Outcome, Verdict> {
        match self {
            Self::None => Ok(Outcome::Count(0)),
            Self::One(step, returns) => {
                let result = taken(answers.take(*step), refused)?;
                of_verb(verb, read(returns, result)?)
            }
            Self::Either(yes, no, returns) => {
                let result = match answers.take(*yes) {
                    Answer::NotRun => taken(answers.take(*no), refused),
                    answer => taken(answer, refused),
                };
                of_verb(verb, read(returns, result?)?)
            }
            Self::Insert { chunks, taken } => inserted(verb, chunks, *taken, answers),
            Self::Counted { met, delete, limit } => {
                let count = taken(answers.take(*met), refused)?;
                taken(answers.take(*delete), refused)?;
                let count = read(&Returns::Types(vec![larder_core::ColumnType::Int]), count)?;
                let met = number(verb.table(), count).map_err(Verdict::Failed)?.rows();
                Ok(Outcome::Count(limit.map_or(met, |limit| met.min(limit))))
            }
            Self::Claim { keys, rows } => claimed(verb, *keys, *rows, answers),
        }
    }
}

/// The answer of a verb by that of its one statement.
fn of_verb(verb: &Verb, outcome: Outcome) -> Result<Outcome, Verdict> {
    match verb {
        Verb::Get(Get { .. }) | Verb::Upsert(_) => Ok(Outcome::Row(rows(outcome).into_iter().next())),
        Verb::Count(_) => number(verb.table(), outcome).map_err(Verdict::Failed),
        Verb::Aggregate(aggregate) => {
            let rows = larder_sql::aggregated(aggregate, rows(outcome));
            rows.map(Outcome::Rows).map_err(Verdict::Failed)
        }
        _ => Ok(outcome),
    }
}

fn inserted(
    verb: &Verb,
    chunks: &[(u32, u64)],
    probe: Option<u32>,
    answers: &mut Answers,
) -> Result<Outcome, Verdict> {
    let mut written = 0;
    for (step, rows) in chunks {
        match answers.take(*step) {
            Answer::Ok(_) => written += rows,
            Answer::NotRun => return Err(Verdict::NotRun),
            Answer::Err(error) => {
                let probed = probe.map_or(Answer::NotRun, |probe| answers.take(probe));
                return Err(refused_insert(verb, error, probed));
            }
        }
    }
    Ok(Outcome::Count(written))
}

/// Which key of the one row is taken, when that is why.
fn refused_insert(verb: &Verb, error: libsql_hrana::proto::Error, probed: Answer) -> Verdict {
    let (Verb::Insert(insert), Failure::Sqlite(sqlite)) = (verb, failure(error.clone())) else {
        return refused(error);
    };
    let (true, Answer::Ok(result), [row]) = (is_taken_key(&sqlite), probed, &insert.rows[..]) else {
        return refused(error);
    };
    let probe = conflict_probe(SQLITE, insert.table, row);
    match outcome(&probe.statement.returns, result).map(|answer| first_taken(&probe.keys, answer)) {
        Ok(Some(key)) => {
            let conflict = Error::conflict(insert.table.entity, insert.table.names(key));
            Verdict::Failed(finish(insert.table, sqlite, Ok(Some(conflict))))
        }
        Ok(None) | Err(_) => Verdict::Unexplained,
    }
}

/// The claimed rows in the order of their keys.
fn claimed(verb: &Verb, keys: u32, claimed: u32, answers: &mut Answers) -> Result<Outcome, Verdict> {
    let table = verb.table();
    let kinds = table.primary_key.iter().map(|&column| table.columns[column].kind).collect();
    let keys = read(&Returns::Types(kinds), taken(answers.take(keys), refused)?)?;
    let found = read(&Returns::Visible(table), taken(answers.take(claimed), refused)?)?;
    let mut found: Vec<Option<Row>> = rows(found).into_iter().map(Some).collect();
    let has_key = |row: &Row, key: &[Value]| {
        table.primary_key.iter().zip(key).all(|(&column, value)| row.get(column) == Some(value))
    };
    let in_order = rows(keys).into_iter().filter_map(|key| {
        let place = found.iter_mut().find(|row| row.as_ref().is_some_and(|row| has_key(row, key.values())));
        place.and_then(Option::take)
    });
    Ok(Outcome::Rows(in_order.collect()))
}
