//! Which key, which parent, which column: what SQLite does not say of a broken constraint, or not in larder's order.

use larder_core::{
    Assign, Count, Error, Filter, ForeignKey, Key, Op, Outcome, Result, Select, Table, Update, Upsert, Value,
};
use larder_sql::{Dialect, conflict_probe, insert_unless_conflict};
use rusqlite::ffi;

use crate::{
    error::{SqliteError, from_sqlite},
    statement::Run,
};

const SQLITE: Dialect = Dialect::Sqlite;

/// The error of the statement that was to insert these rows. It has been undone.
pub(crate) async fn explain_insert(
    on: &impl Run,
    table: &'static Table,
    rows: &[Vec<Value>],
    error: SqliteError,
) -> Error {
    let explained = match broken(&error) {
        Some(Broken::Key) => taken_key(on, table, rows).await,
        Some(Broken::Parent) => missing_parent(on, table, rows).await,
        _ => Ok(None),
    };
    finish(table, error, explained)
}

/// The error of an update.
pub(crate) async fn explain_update(on: &impl Run, update: &Update, error: SqliteError) -> Error {
    let table = update.table;
    let explained = match broken(&error) {
        Some(Broken::Key) => taken_key_of_update(on, update).await,
        Some(Broken::Parent) => match rows_after(on, update).await {
            Ok(rows) => missing_parent(on, table, &rows).await,
            Err(error) => Err(error),
        },
        _ => Ok(None),
    };
    finish(table, error, explained)
}

/// The error of an upsert: that of an update when the row is there, else that of an insert.
pub(crate) async fn explain_upsert(on: &impl Run, upsert: &Upsert, error: SqliteError) -> Error {
    let update = larder_sql::upsert_as_update(upsert);
    let key = upsert.conflict.iter().map(|&column| (column, upsert.row[column].clone()));
    let is_there = exists(on, upsert.table, equal(key)).await;
    match is_there {
        Ok(true) => explain_update(on, &update, error).await,
        Ok(false) => explain_insert(on, upsert.table, std::slice::from_ref(&upsert.row), error).await,
        Err(_) => finish(upsert.table, error, Ok(None)),
    }
}

/// What kind of constraint needs a look at the database to be named.
enum Broken {
    Key,
    Parent,
}

fn broken(error: &SqliteError) -> Option<Broken> {
    match error.code {
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_ROWID => {
            Some(Broken::Key)
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Some(Broken::Parent),
        _ => None,
    }
}

/// Does it say that a key is taken?
pub(crate) fn is_taken_key(error: &SqliteError) -> bool {
    matches!(broken(error), Some(Broken::Key))
}

/// The error that was found, or the one that SQLite's own words give.
pub(crate) fn finish(table: &'static Table, error: SqliteError, explained: Result<Option<Error>>) -> Error {
    match explained {
        Ok(Some(found)) => found.with_source(error),
        // A look that failed is worth less than the error that it was to explain.
        Ok(None) | Err(_) => in_its_own_words(Some(table), error),
    }
}

/// The error of a statement that is no verb.
pub(crate) fn explain_sql(error: impl Into<SqliteError>) -> Error {
    in_its_own_words(None, error.into())
}

/// The error by SQLite's message, which names table and columns. The table itself is not known when SQL is not a verb's.
fn in_its_own_words(table: Option<&'static Table>, error: SqliteError) -> Error {
    let said = &error.message;
    // `UNIQUE constraint failed: jars.a, jars.b`, `cannot store TEXT value in INTEGER column jars.a`
    let about = said.rsplit_once(": ").or_else(|| said.rsplit_once(' ')).map_or("", |(_, about)| about);
    let entity = || match (table, about.split_once('.')) {
        (Some(table), _) => table.entity.to_owned(),
        (None, Some((table, _))) => table.to_owned(),
        (None, None) => "database".to_owned(),
    };
    let found = match error.code {
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_ROWID => {
            Error::conflict(entity(), columns(about))
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => {
            // With a table, its own references have been looked at: others refer to it.
            Error::missing_parent("row", table.map_or("row", |table| table.entity))
        }
        ffi::SQLITE_CONSTRAINT_NOTNULL => Error::invalid(entity(), columns(about), "must not be null"),
        ffi::SQLITE_CONSTRAINT_CHECK => {
            Error::invalid(entity(), checked_column(table, about), "breaks a rule of the database")
        }
        ffi::SQLITE_CONSTRAINT_DATATYPE => {
            Error::invalid(entity(), columns(about), "is a value of another type")
        }
        _ => return from_sqlite(error),
    };
    found.with_source(error)
}

/// `table.a, table.b` without the table.
fn columns(named: &str) -> String {
    let names = named.split(", ").map(|name| name.rsplit_once('.').map_or(name, |(_, column)| column));
    names.collect::<Vec<_>>().join(", ")
}

/// The column of a CHECK constraint that is named as larder names it; else the constraint's name.
fn checked_column(table: Option<&'static Table>, constraint: &str) -> String {
    let column = table.and_then(|table| {
        let mut columns = table.columns.iter().enumerate();
        columns.find(|(position, _)| table.check_name(*position) == constraint)
    });
    column.map_or(constraint, |(_, column)| column.name).to_owned()
}

/// The first taken key of the first row that cannot be inserted. The rows before it are inserted anew, because they may
/// be what takes it; the caller rolls all of it back. Of a single row nothing is written.
async fn taken_key(on: &impl Run, table: &'static Table, rows: &[Vec<Value>]) -> Result<Option<Error>> {
    for (number, row) in (1..).zip(rows) {
        let probe = conflict_probe(SQLITE, table, row);
        if let Some(key) = first_taken(&probe.keys, on.run(probe.statement).await?) {
            return Ok(Some(Error::conflict(table.entity, table.names(key))));
        }
        if number < rows.len() {
            on.run(insert_unless_conflict(SQLITE, table, row)).await?;
        }
    }
    Ok(None)
}

/// The first of these keys that is taken, by the answer of their [`conflict_probe`].
pub(crate) fn first_taken(keys: &[&'static [usize]], answer: Outcome) -> Option<&'static [usize]> {
    let Outcome::Rows(rows) = answer else { return None };
    let taken = rows.first()?.values();
    keys.iter().zip(taken).find(|(_, taken)| **taken == Value::Bool(true)).map(|(key, _)| *key)
}

/// The first key of the table, among those that the update changes, that another row holds. For an update of one row.
async fn taken_key_of_update(on: &impl Run, update: &Update) -> Result<Option<Error>> {
    let table = update.table;
    let (true, [before], [after]) =
        (update.key.is_some(), &rows_before(on, update).await?[..], &rows_after(on, update).await?[..])
    else {
        return Ok(None);
    };
    for key in table.keys() {
        let changed = update.set.iter().any(|(column, _)| key.contains(column));
        if !changed || key.iter().any(|&column| after.get(column).is_none_or(Value::is_null)) {
            continue;
        }
        let of_another =
            table.primary_key.iter().map(|&column| compare(column, Op::Ne, before[column].clone()));
        let holds = equal(key.iter().map(|&column| (column, after[column].clone())));
        if exists(on, table, holds.and(Filter::Any(of_another.collect()))).await? {
            return Ok(Some(Error::conflict(table.entity, table.names(key))));
        }
    }
    Ok(None)
}

/// The first foreign key of these rows that points nowhere.
async fn missing_parent(on: &impl Run, table: &'static Table, rows: &[Vec<Value>]) -> Result<Option<Error>> {
    for row in rows {
        for key in table.foreign_keys {
            if points_nowhere(on, table, key, row, rows).await? {
                return Ok(Some(Error::missing_parent(table.entity, (key.parent)().entity)));
            }
        }
    }
    Ok(None)
}

async fn points_nowhere(
    on: &impl Run,
    table: &'static Table,
    key: &ForeignKey,
    row: &[Value],
    rows: &[Vec<Value>],
) -> Result<bool> {
    let parent = (key.parent)();
    let parent_columns: Option<Vec<_>> =
        key.parent_columns.iter().map(|name| parent.position(name)).collect();
    let Some(parent_columns) = parent_columns else { return Ok(false) };
    if key.columns.iter().any(|&column| row.get(column).is_none_or(Value::is_null)) {
        return Ok(false);
    }
    let reference = || parent_columns.iter().copied().zip(key.columns.iter().map(|&column| &row[column]));
    // A parent may be among the rows themselves, which are not written now.
    let is_new =
        parent == table && rows.iter().any(|row| reference().all(|(column, value)| row[column] == *value));
    if is_new {
        return Ok(false);
    }
    let filter = equal(reference().map(|(column, value)| (column, value.clone())));
    exists(on, parent, filter).await.map(|exists| !exists)
}

/// The rows that an update chooses, as they are: the visible columns.
async fn rows_before(on: &impl Run, update: &Update) -> Result<Vec<Vec<Value>>> {
    let key =
        update.key.iter().flat_map(|Key { columns, values }| columns.iter().copied().zip(values.clone()));
    let select = Select {
        table: update.table,
        owner: update.owner,
        filter: equal(key).and(update.filter.clone()),
        order: Vec::new(),
        after: None,
        offset: 0,
        limit: None,
    };
    match on.run(on.statements().select(&select)).await? {
        Outcome::Rows(rows) => Ok(rows.into_iter().map(|row| row.into_values()).collect()),
        Outcome::Row(_) | Outcome::Count(_) => Ok(Vec::new()),
    }
}

/// The rows that an update chooses, as they were to become as far as keys and references go.
async fn rows_after(on: &impl Run, update: &Update) -> Result<Vec<Vec<Value>>> {
    let mut rows = rows_before(on, update).await?;
    for row in &mut rows {
        for (column, assign) in &update.set {
            if let (Assign::Set(value), Some(held)) = (assign, row.get_mut(*column)) {
                *held = value.clone();
            }
        }
    }
    Ok(rows)
}

async fn exists(on: &impl Run, table: &'static Table, filter: Filter) -> Result<bool> {
    let count = Count { table, owner: None, filter };
    let Outcome::Rows(rows) = on.run(on.statements().count(&count)).await? else { return Ok(false) };
    Ok(rows.first().and_then(|row| row.get(0)) != Some(&Value::Int(0)))
}

fn equal(values: impl IntoIterator<Item = (usize, Value)>) -> Filter {
    Filter::All(values.into_iter().map(|(column, value)| compare(column, Op::Eq, value)).collect())
}

fn compare(column: usize, op: Op, value: Value) -> Filter {
    Filter::Compare { column, op, value }
}
