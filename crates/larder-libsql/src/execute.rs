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
    statement::run,
};

const SQLITE: Dialect = Dialect::Sqlite;

impl Work for Verb {
    type Answer = Outcome;

    fn run(&self, database: &Database) -> Result<Outcome> {
        execute(database, self)
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
        let mut outcomes = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let outcome = execute(database, &step.verb)?;
            step.require.check(&outcome)?;
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn is_read(&self) -> bool {
        self.steps.iter().all(|step| step.verb.is_read())
    }
}

fn execute(database: &Database, verb: &Verb) -> Result<Outcome> {
    larder_sql::check(verb)?;
    let statements = database.statements();
    match verb {
        Verb::Get(get) => {
            let rows = rows(run(database, statements.get(get))?);
            Ok(Outcome::Row(rows.into_iter().next()))
        }
        Verb::Select(select) => {
            let statement = match answers_yes(database, select_goes_by_search(select))? {
                true => statements.select_by_search(select),
                false => statements.select(select),
            };
            Ok(run(database, statement)?)
        }
        Verb::Count(count) => {
            let statement = match answers_yes(database, count_goes_by_search(count))? {
                true => statements.count_by_search(count),
                false => statements.count(count),
            };
            number(verb.table(), run(database, statement)?)
        }
        Verb::Aggregate(aggregate) => {
            let rows = rows(run(database, statements.aggregate(aggregate))?);
            larder_sql::aggregated(aggregate, rows).map(Outcome::Rows)
        }
        Verb::Insert(insert) => execute_insert(database, insert),
        Verb::Update(update) => execute_update(database, update),
        Verb::Delete(delete) => execute_delete(database, delete),
        Verb::Upsert(upsert) => execute_upsert(database, upsert),
        Verb::Claim(claim) => execute_claim(database, claim),
    }
}

/// Is there a question, and the answer to it 1?
fn answers_yes(database: &Database, question: Option<Statement>) -> Result<bool> {
    let Some(question) = question else { return Ok(false) };
    let answer = rows(run(database, question)?);
    Ok(answer.first().and_then(|row| row.get(0)) == Some(&Value::Int(1)))
}

fn rows(outcome: Outcome) -> Vec<Row> {
    match outcome {
        Outcome::Rows(rows) => rows,
        Outcome::Row(_) | Outcome::Count(_) => Vec::new(),
    }
}

fn number(table: &'static Table, outcome: Outcome) -> Result<Outcome> {
    match rows(outcome).first().and_then(|row| row.get(0)) {
        Some(Value::Int(number)) => Ok(Outcome::Count(number.unsigned_abs())),
        _ => Err(Error::corrupt(table.entity, "").with_context("count(*) answered no number")),
    }
}

fn execute_insert(database: &Database, insert: &Insert) -> Result<Outcome> {
    let mut written = 0;
    for (rows, statement) in database.statements().insert(insert) {
        run(database, statement).map_err(|failure| {
            failure.explained(|error| explain_insert(database, insert.table, rows, error))
        })?;
        written += rows.len();
    }
    Ok(Outcome::Count(written as u64))
}

fn execute_update(database: &Database, update: &Update) -> Result<Outcome> {
    let outcome = run(database, database.statements().update(update))
        .map_err(|failure| failure.explained(|error| explain_update(database, update, error)))?;
    if outcome.rows() == 0 {
        refuse_overflow(database, update)?;
    }
    Ok(outcome)
}

/// After an update that changed nothing: an error when that is because a sum overflows.
fn refuse_overflow(database: &Database, update: &Update) -> Result<()> {
    let Some(probe) = larder_sql::add_probe(SQLITE, update) else { return Ok(()) };
    let found = rows(run(database, probe)?);
    let overflow = found.first().and_then(|row| larder_sql::add_overflow(update, row.values()));
    overflow.map_or(Ok(()), Err)
}

/// SQLite deletes what refers to a row together with it, so that a row whose turn would come later is gone by then and
/// neither counted nor returned. Where that can happen the rows are looked at first: the writer is alone, so that they are
/// those that will be deleted.
fn execute_delete(database: &Database, delete: &Delete) -> Result<Outcome> {
    let statements = database.statements();
    let &Delete { table, owner, ref filter, limit, .. } = delete;
    if delete.key.is_some() || !refers_to_itself(table) {
        return Ok(run(database, statements.delete(delete))?);
    }
    let filter = filter.clone();
    if !delete.returning {
        let met = number(table, run(database, statements.count(&Count { table, owner, filter }))?)?.rows();
        run(database, statements.delete(delete))?;
        return Ok(Outcome::Count(limit.map_or(met, |limit| met.min(limit))));
    }
    let select = Select { table, owner, filter, order: Vec::new(), after: None, offset: 0, limit };
    let chosen = rows(run(database, statements.select(&select))?);
    for row in &chosen {
        let values = table.primary_key.iter().filter_map(|&column| row.get(column).cloned()).collect();
        let key = Some(Key { columns: table.primary_key, values });
        let one = Delete { table, owner, key, filter: Filter::always(), limit: None, returning: false };
        run(database, statements.delete(&one))?;
    }
    Ok(Outcome::Rows(chosen))
}

/// Can deleting a row of the table take others of the same table along, directly or by way of other tables?
fn refers_to_itself(table: &'static Table) -> bool {
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

fn execute_upsert(database: &Database, upsert: &Upsert) -> Result<Outcome> {
    let outcome = run(database, database.statements().upsert(upsert))
        .map_err(|failure| failure.explained(|error| explain_upsert(database, upsert, error)))?;
    if let Some(row) = rows(outcome).into_iter().next() {
        return Ok(Outcome::Row(Some(row)));
    }
    refuse_overflow(database, &larder_sql::upsert_as_update(upsert))?;
    Err(Error::conflict(upsert.table.entity, upsert.table.names(upsert.conflict)))
}

fn execute_claim(database: &Database, claim: &Claim) -> Result<Outcome> {
    let keys = rows(run(database, database.statements().claim(claim))?);
    let mut claimed = Vec::with_capacity(keys.len());
    for key in keys {
        let update = larder_sql::claim_update(claim, key.into_values());
        // The writer is alone: each row is as it was when it was chosen.
        claimed.append(&mut rows(execute_update(database, &update)?));
    }
    Ok(Outcome::Rows(claimed))
}
