//! Verbs and units, executed on a connection.

use larder_core::{
    Claim, Count, Delete, Error, Filter, Insert, Key, Outcome, Result, Row, Select, Table, Unit, Update,
    Upsert, Value, Verb,
};
use larder_sql::{Dialect, Statement, count_goes_by_search, select_goes_by_search};

use crate::{
    call::Work,
    database::Database,
    error::from_sqlite,
    explain::{explain_insert, explain_update, explain_upsert},
    statement::{Failure, Run, at_once},
};

const SQLITE: Dialect = Dialect::Sqlite;

impl Work for Verb {
    type Answer = Outcome;

    fn run(&self, database: &Database) -> Result<Outcome> {
        at_once(execute(database, self))
    }

    fn is_read(&self) -> bool {
        Verb::is_read(self)
    }

    fn is_one_statement(&self) -> bool {
        match self {
            Self::Insert(insert) => insert.rows.len() <= 1,
            Self::Update(update) => update.key.is_some(),
            Self::Delete(delete) => delete.key.is_some(),
            Self::Upsert(_) => true,
            Self::Claim(_) => false,
            Self::Get(_) | Self::Select(_) | Self::Count(_) | Self::Aggregate(_) => true,
        }
    }
}

impl Work for Unit {
    type Answer = Vec<Outcome>;

    fn run(&self, database: &Database) -> Result<Vec<Outcome>> {
        if !database.in_transaction() {
            // On a reader: the steps are to see one state. The transaction ends with the job.
            database.control("BEGIN").map_err(from_sqlite)?;
        }
        at_once(execute_unit(database, self))
    }

    fn is_read(&self) -> bool {
        self.steps.iter().all(|step| step.verb.is_read())
    }
}

/// Executes the steps of a unit in the transaction that is open. When it fails, that is to be rolled back.
pub(crate) async fn execute_unit(on: &impl Run, unit: &Unit) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::with_capacity(unit.steps.len());
    for step in &unit.steps {
        let outcome = execute(on, &step.verb).await?;
        step.require.check(&outcome)?;
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// Executes a verb.
pub(crate) async fn execute(on: &impl Run, verb: &Verb) -> Result<Outcome> {
    larder_sql::check(verb)?;
    let statements = on.statements();
    match verb {
        Verb::Get(get) => {
            let rows = rows(on.run(statements.get(get)).await?);
            Ok(Outcome::Row(rows.into_iter().next()))
        }
        Verb::Select(select) => {
            let statement = match answers_yes(on, select_goes_by_search(select)).await? {
                true => statements.select_by_search(select),
                false => statements.select(select),
            };
            Ok(on.run(statement).await?)
        }
        Verb::Count(count) => {
            let statement = match answers_yes(on, count_goes_by_search(count)).await? {
                true => statements.count_by_search(count),
                false => statements.count(count),
            };
            number(verb.table(), on.run(statement).await?)
        }
        Verb::Aggregate(aggregate) => {
            let rows = rows(on.run(statements.aggregate(aggregate)).await?);
            larder_sql::aggregated(aggregate, rows).map(Outcome::Rows)
        }
        Verb::Insert(insert) => execute_insert(on, insert).await,
        Verb::Update(update) => execute_update(on, update).await,
        Verb::Delete(delete) => execute_delete(on, delete).await,
        Verb::Upsert(upsert) => execute_upsert(on, upsert).await,
        Verb::Claim(claim) => execute_claim(on, claim).await,
    }
}

/// Is there a question, and the answer to it 1?
async fn answers_yes(on: &impl Run, question: Option<Statement>) -> Result<bool> {
    let Some(question) = question else { return Ok(false) };
    let answer = rows(on.run(question).await?);
    Ok(answer.first().and_then(|row| row.get(0)) == Some(&Value::Int(1)))
}

pub(crate) fn rows(outcome: Outcome) -> Vec<Row> {
    match outcome {
        Outcome::Rows(rows) => rows,
        Outcome::Row(_) | Outcome::Count(_) => Vec::new(),
    }
}

pub(crate) fn number(table: &'static Table, outcome: Outcome) -> Result<Outcome> {
    match rows(outcome).first().and_then(|row| row.get(0)) {
        Some(Value::Int(number)) => Ok(Outcome::Count(number.unsigned_abs())),
        _ => Err(Error::corrupt(table.entity, "").with_context("count(*) answered no number")),
    }
}

async fn execute_insert(on: &impl Run, insert: &Insert) -> Result<Outcome> {
    let mut written = 0;
    for (rows, statement) in on.statements().insert(insert) {
        match on.run(statement).await {
            Ok(_) => written += rows.len(),
            Err(Failure::Sqlite(error)) => return Err(explain_insert(on, insert.table, rows, error).await),
            Err(Failure::Other(error)) => return Err(error),
        }
    }
    Ok(Outcome::Count(written as u64))
}

async fn execute_update(on: &impl Run, update: &Update) -> Result<Outcome> {
    let outcome = match on.run(on.statements().update(update)).await {
        Ok(outcome) => outcome,
        Err(Failure::Sqlite(error)) => return Err(explain_update(on, update, error).await),
        Err(Failure::Other(error)) => return Err(error),
    };
    if outcome.rows() == 0 {
        refuse_overflow(on, update).await?;
    }
    Ok(outcome)
}

/// After an update that changed nothing: an error when that is because a sum overflows.
async fn refuse_overflow(on: &impl Run, update: &Update) -> Result<()> {
    let Some(probe) = larder_sql::add_probe(SQLITE, update) else { return Ok(()) };
    let found = rows(on.run(probe).await?);
    let overflow = found.first().and_then(|row| larder_sql::add_overflow(update, row.values()));
    overflow.map_or(Ok(()), Err)
}

/// SQLite deletes what refers to a row together with it, so that a row whose turn would come later is gone by then and
/// neither counted nor returned. Where that can happen the rows are looked at first: the writer is alone, so that they are
/// those that will be deleted.
async fn execute_delete(on: &impl Run, delete: &Delete) -> Result<Outcome> {
    let statements = on.statements();
    let &Delete { table, owner, ref filter, limit, .. } = delete;
    if delete.key.is_some() || !refers_to_itself(table) {
        return Ok(on.run(statements.delete(delete)).await?);
    }
    let filter = filter.clone();
    if !delete.returning {
        let met = number(table, on.run(statements.count(&Count { table, owner, filter })).await?)?.rows();
        on.run(statements.delete(delete)).await?;
        return Ok(Outcome::Count(limit.map_or(met, |limit| met.min(limit))));
    }
    let select = Select { table, owner, filter, order: Vec::new(), after: None, offset: 0, limit };
    let chosen = rows(on.run(statements.select(&select)).await?);
    for row in &chosen {
        let values = table.primary_key.iter().filter_map(|&column| row.get(column).cloned()).collect();
        let key = Some(Key { columns: table.primary_key, values });
        let one = Delete { table, owner, key, filter: Filter::always(), limit: None, returning: false };
        on.run(statements.delete(&one)).await?;
    }
    Ok(Outcome::Rows(chosen))
}

/// Can deleting a row of the table take others of the same table along, directly or by way of other tables?
pub(crate) fn refers_to_itself(table: &'static Table) -> bool {
    let parents = |table: &'static Table| table.foreign_keys.iter().map(|key| (key.parent)());
    let mut above: Vec<_> = parents(table).collect();
    let mut seen = Vec::new();
    while let Some(parent) = above.pop() {
        if parent == table {
            return true;
        }
        if !seen.contains(&parent.name) {
            seen.push(parent.name);
            above.extend(parents(parent));
        }
    }
    false
}

async fn execute_upsert(on: &impl Run, upsert: &Upsert) -> Result<Outcome> {
    let outcome = match on.run(on.statements().upsert(upsert)).await {
        Ok(outcome) => outcome,
        Err(Failure::Sqlite(error)) => return Err(explain_upsert(on, upsert, error).await),
        Err(Failure::Other(error)) => return Err(error),
    };
    if let Some(row) = rows(outcome).into_iter().next() {
        return Ok(Outcome::Row(Some(row)));
    }
    refuse_overflow(on, &larder_sql::upsert_as_update(upsert)).await?;
    Err(Error::conflict(upsert.table.entity, upsert.table.names(upsert.conflict)))
}

async fn execute_claim(on: &impl Run, claim: &Claim) -> Result<Outcome> {
    let keys = rows(on.run(on.statements().claim(claim)).await?);
    let mut claimed = Vec::with_capacity(keys.len());
    for key in keys {
        let update = larder_sql::claim_update(claim, key.into_values());
        // The writer is alone: each row is as it was when it was chosen.
        claimed.append(&mut rows(execute_update(on, &update).await?));
    }
    Ok(Outcome::Rows(claimed))
}
