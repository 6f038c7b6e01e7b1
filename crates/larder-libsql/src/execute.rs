//! Verbs and units, executed on a connection.

use larder_core::{Claim, Error, Insert, Outcome, Result, Row, Table, Unit, Update, Upsert, Value, Verb};
use larder_sql::{Bind, Dialect, Returns, Statement};
use rusqlite::CachedStatement;

use crate::{
    call::Work,
    database::Database,
    error::from_sqlite,
    explain::{explain_insert, explain_update, explain_upsert, explain_write},
    value::{Param, read},
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
}

impl Work for Unit {
    type Answer = Vec<Outcome>;

    fn run(&self, database: &Database) -> Result<Vec<Outcome>> {
        if !database.in_transaction() {
            // A reader: its steps are to see one state. The transaction ends with the job.
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
    let returned = |returning, statement| write(database, verb.table(), returning, statement);
    match verb {
        Verb::Get(get) => {
            query(database, &larder_sql::get(SQLITE, get)).map(|rows| Outcome::Row(rows.into_iter().next()))
        }
        Verb::Select(select) => query(database, &larder_sql::select(SQLITE, select)).map(Outcome::Rows),
        Verb::Count(count) => {
            let rows = query(database, &larder_sql::count(SQLITE, count))?;
            let number = rows.first().and_then(|row| row.get(0));
            match number {
                Some(Value::Int(number)) => Ok(Outcome::Count(number.unsigned_abs())),
                _ => Err(Error::corrupt(verb.table().entity, "").with_context("count(*) answered no number")),
            }
        }
        Verb::Insert(insert) => execute_insert(database, insert),
        Verb::Update(update) => execute_update(database, update),
        Verb::Delete(delete) => returned(delete.returning, &larder_sql::delete(SQLITE, delete)),
        Verb::Upsert(upsert) => execute_upsert(database, upsert),
        Verb::Claim(claim) => execute_claim(database, claim),
    }
}

fn execute_insert(database: &Database, insert: &Insert) -> Result<Outcome> {
    for statement in &larder_sql::insert(SQLITE, insert) {
        change(database, statement).map_err(|error| explain_insert(database, insert, error))?;
    }
    Ok(Outcome::Count(insert.rows.len() as u64))
}

fn execute_update(database: &Database, update: &Update) -> Result<Outcome> {
    let statement = larder_sql::update(SQLITE, update);
    let outcome = if update.returning {
        rows(database, &statement).map_err(|failed| match failed {
            Failed::Sqlite(error) => explain_update(database, update, error),
            Failed::Row(error) => error,
        })
        .map(Outcome::Rows)
    } else {
        change(database, &statement)
            .map_err(|error| explain_update(database, update, error))
            .map(Outcome::Count)
    }?;
    if outcome.rows() == 0 {
        refuse_overflow(database, update)?;
    }
    Ok(outcome)
}
