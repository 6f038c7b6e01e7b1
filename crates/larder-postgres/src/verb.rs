//! One verb on a session.

use std::sync::Arc;

use larder_core::{
    Claim, Delete, Error, ErrorKind, Insert, Outcome, Row, Table, Update, Upsert, Value, Verb,
};
use larder_sql::{Dialect, Lock, Rendered, Statements};

use crate::{error::Failure, reply::Contents, session::Session};

const POSTGRES: Dialect = Dialect::Postgres;

/// How often an update is tried again whose row was changed by others in between; see [`larder_sql::add_overflow`].
const MAX_ATTEMPTS: u32 = 10;

/// Executes a verb by itself, in autocommit. What needs several statements is sent at once, and so is all or nothing too.
pub(crate) async fn execute(session: &mut Session, verb: &Verb) -> Result<Outcome, Failure> {
    execute_step(session, verb, None).await
}

/// Executes a verb in a transaction that any error of it ends.
pub(crate) async fn execute_step(
    session: &mut Session,
    verb: &Verb,
    lock: Option<Lock>,
) -> Result<Outcome, Failure> {
    statements(session, verb, lock).await.map_err(|failure| failure.explained(Some(verb)))
}

async fn statements(session: &mut Session, verb: &Verb, lock: Option<Lock>) -> Result<Outcome, Failure> {
    match verb {
        Verb::Insert(insert) => {
            let statements = Arc::clone(session.statements());
            let statements = statements.insert(insert).map(|(_, statement)| statement);
            Ok(Outcome::Count(session.pour(statements).await?))
        }
        Verb::Update(update) => change(session, update).await,
        Verb::Upsert(upsert) => put(session, upsert).await,
        Verb::Claim(Claim { limit: 0, .. }) => Ok(Outcome::Rows(Vec::new())),
        Verb::Get(_)
        | Verb::Select(_)
        | Verb::Count(_)
        | Verb::Aggregate(_)
        | Verb::Delete(_)
        | Verb::Claim(_) => {
            let Some(statement) = one_statement(session.statements(), verb, lock) else {
                return Err(Failure::Refused(Error::unsupported("a verb without a statement")));
            };
            outcome(verb, session.query(&statement).await?).map_err(Failure::Refused)
        }
    }
}

/// The statement of a verb that is one: all but inserts of many large rows, and those that do nothing.
pub(crate) fn one_statement(statements: &Statements, verb: &Verb, lock: Option<Lock>) -> Option<Rendered> {
    Some(match verb {
        Verb::Get(get) => match lock {
            Some(lock) => larder_sql::get_locked(get, lock).into(),
            None => statements.get(get),
        },
        Verb::Select(select) => statements.select(select),
        Verb::Count(count) => statements.count(count),
        Verb::Aggregate(aggregate) => statements.aggregate(aggregate),
        Verb::Insert(insert) => return statements.insert_at_once(insert.table, &insert.rows),
        Verb::Update(update) => statements.update(update),
        Verb::Delete(delete) => statements.delete(delete),
        Verb::Upsert(upsert) => statements.upsert(upsert),
        Verb::Claim(Claim { limit: 0, .. }) => return None,
        Verb::Claim(claim) => statements.claim(claim),
    })
}

/// What the reply to a verb's one statement answers.
///
/// # Errors
/// `Invalid` with the column when a sum that was read is no `i64`.
pub(crate) fn outcome(verb: &Verb, reply: Contents) -> Result<Outcome, Error> {
    Ok(match verb {
        Verb::Get(_) | Verb::Upsert(_) => Outcome::Row(reply.rows.into_iter().next()),
        Verb::Count(_) => Outcome::Count(number(&reply.rows)),
        Verb::Aggregate(aggregate) => Outcome::Rows(larder_sql::aggregated(aggregate, reply.rows)?),
        Verb::Select(_) | Verb::Claim(_) => Outcome::Rows(reply.rows),
        Verb::Update(Update { returning: true, .. }) | Verb::Delete(Delete { returning: true, .. }) => {
            Outcome::Rows(reply.rows)
        }
        Verb::Insert(_) | Verb::Update(_) | Verb::Delete(_) => Outcome::Count(reply.affected),
    })
}

fn number(rows: &[Row]) -> u64 {
    match rows.first().and_then(|row| row.get(0)) {
        Some(Value::Int(number)) => number.unsigned_abs(),
        _ => 0,
    }
}

async fn change(session: &mut Session, update: &Update) -> Result<Outcome, Failure> {
    for _ in 0..MAX_ATTEMPTS {
        let statement = session.statements().update(update);
        let reply = session.query(&statement).await?;
        let outcome =
            if update.returning { Outcome::Rows(reply.rows) } else { Outcome::Count(reply.affected) };
        if outcome.rows() > 0 || !sum_was_in_the_way(session, update).await? {
            return Ok(outcome);
        }
    }
    Err(Failure::Refused(Error::new(ErrorKind::Contention, "the row changes faster than it can be changed")))
}

/// After an update that changed nothing: is there a row that it should have changed? Then somebody else has changed it since,
/// or a sum overflows, which is the error.
async fn sum_was_in_the_way(session: &mut Session, update: &Update) -> Result<bool, Failure> {
    let Some(probe) = larder_sql::add_probe(POSTGRES, update) else { return Ok(false) };
    let rows = session.rows(&probe.into()).await?;
    let Some(row) = rows.first() else { return Ok(false) };
    match larder_sql::add_overflow(update, row.values()) {
        Some(error) => Err(Failure::Refused(error)),
        None => Ok(true),
    }
}

async fn put(session: &mut Session, upsert: &Upsert) -> Result<Outcome, Failure> {
    for _ in 0..MAX_ATTEMPTS {
        let statement = session.statements().upsert(upsert);
        let rows = session.rows(&statement).await?;
        if let Some(row) = rows.into_iter().next() {
            return Ok(Outcome::Row(Some(row)));
        }
        if !sum_was_in_the_way(session, &larder_sql::upsert_as_update(upsert)).await? {
            return Err(conflict(upsert.table, upsert.conflict));
        }
    }
    Err(Failure::Refused(Error::new(ErrorKind::Contention, "the row changes faster than it can be changed")))
}

fn conflict(table: &'static Table, key: &[usize]) -> Failure {
    Failure::Refused(Error::conflict(table.entity, table.names(key)))
}

/// Executes a verb in a transaction that goes on after a `Conflict`.
pub(crate) async fn execute_in_transaction(session: &mut Session, verb: &Verb) -> Result<Outcome, Failure> {
    larder_sql::check(verb).map_err(Failure::Refused)?;
    match verb {
        Verb::Insert(Insert { table, rows }) if rows.len() == 1 => {
            insert_one(session, table, &rows[0]).await.map_err(|failure| failure.explained(Some(verb)))
        }
        verb if may_conflict(verb) => execute_behind_savepoint(session, verb).await,
        verb => execute_step(session, verb, None).await,
    }
}

/// An expected conflict raises nothing, so it costs no savepoint.
async fn insert_one(session: &mut Session, table: &'static Table, row: &[Value]) -> Result<Outcome, Failure> {
    if session.affected(&larder_sql::insert_unless_conflict(POSTGRES, table, row).into()).await? == 1 {
        return Ok(Outcome::Count(1));
    }
    let probe = larder_sql::conflict_probe(POSTGRES, table, row);
    let rows = session.rows(&probe.statement.into()).await?;
    let taken =
        rows.first().and_then(|row| row.values().iter().position(|taken| *taken == Value::Bool(true)));
    Err(match taken.and_then(|index| probe.keys.get(index)) {
        Some(key) => conflict(table, key),
        // The row that was in the way is gone again.
        None => Failure::Refused(Error::new(ErrorKind::Contention, "")),
    })
}

/// Can the statement raise a unique violation?
fn may_conflict(verb: &Verb) -> bool {
    let table = verb.table();
    let in_a_key = |column: &usize| {
        table.primary_key.contains(column)
            || table.uniques.iter().any(|unique| unique.columns.contains(column))
    };
    match verb {
        Verb::Insert(insert) => !insert.rows.is_empty(),
        Verb::Upsert(_) => true,
        Verb::Update(update) => update.set.iter().any(|(column, _)| in_a_key(column)),
        Verb::Claim(claim) => claim.set.iter().any(|(column, _)| in_a_key(column)),
        Verb::Get(_) | Verb::Select(_) | Verb::Count(_) | Verb::Aggregate(_) | Verb::Delete(_) => false,
    }
}

async fn execute_behind_savepoint(session: &mut Session, verb: &Verb) -> Result<Outcome, Failure> {
    session.script("SAVEPOINT larder").await?;
    match execute_step(session, verb, None).await {
        Err(Failure::Refused(error)) if matches!(error.kind(), ErrorKind::Conflict { .. }) => {
            session.script("ROLLBACK TO SAVEPOINT larder; RELEASE SAVEPOINT larder").await?;
            Err(Failure::Refused(error))
        }
        Err(failure) => Err(failure),
        Ok(outcome) => {
            session.script("RELEASE SAVEPOINT larder").await?;
            Ok(outcome)
        }
    }
}
