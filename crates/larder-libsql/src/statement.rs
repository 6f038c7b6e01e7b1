//! One prepared statement, run.

use larder_core::{Error, Outcome, Row, Value};
use larder_sql::{Bind, Rendered, Returns};
use rusqlite::types::ValueRef;

use crate::{
    database::Database,
    error::from_sqlite,
    value::{Param, read},
};

/// Why a statement failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// SQLite says so.
    Sqlite(rusqlite::Error),
    /// A row that it returned could not be read.
    Row(Error),
}

impl Failure {
    /// The error, SQLite's own in the words of `explain`.
    pub(crate) fn explained(self, explain: impl FnOnce(rusqlite::Error) -> Error) -> Error {
        match self {
            Self::Sqlite(error) => explain(error),
            Self::Row(error) => error,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.explained(from_sqlite)
    }
}

/// Runs a statement, prepared before or now. Answers `Rows` or `Count`, as its `returns` says.
pub(crate) fn run(database: &Database, statement: impl Into<Rendered>) -> Result<Outcome, Failure> {
    let statement = statement.into();
    let mut prepared = database.connection().prepare_cached(&statement.text)?;
    bind(&mut prepared, statement.binds.iter().flat_map(values))?;
    match &statement.returns {
        Returns::Affected => Ok(Outcome::Count(prepared.raw_execute()? as u64)),
        // SQLite gets no batches; the first columns of one would be the same.
        Returns::Visible(table) | Returns::Numbered(table) => {
            let columns = table.visible();
            fetch(&mut prepared, columns.len(), |position, value| {
                let column = &columns[position];
                read(column.kind, value)
                    .map_err(|wrong| Error::corrupt(table.entity, column.name).with_context(wrong))
            })
            .map(Outcome::Rows)
        }
        Returns::Types(types) => fetch(&mut prepared, types.len(), |position, value| {
            read(types[position], value).map_err(|wrong| Error::corrupt("database", "").with_context(wrong))
        })
        .map(Outcome::Rows),
    }
}

fn values(bind: &Bind) -> &[Value] {
    match bind {
        Bind::One { value, .. } => std::slice::from_ref(value),
        Bind::Many { values, .. } => values,
    }
}

/// Binds the values to the placeholders in their order.
pub(crate) fn bind<'a>(
    prepared: &mut rusqlite::Statement<'_>,
    values: impl IntoIterator<Item = &'a Value>,
) -> rusqlite::Result<()> {
    for (index, value) in values.into_iter().enumerate() {
        prepared.raw_bind_parameter(index + 1, Param(value))?;
    }
    Ok(())
}

/// The rows, each column read by `read`, which is given its position.
pub(crate) fn fetch(
    prepared: &mut rusqlite::Statement<'_>,
    columns: usize,
    read: impl Fn(usize, ValueRef<'_>) -> Result<Value, Error>,
) -> Result<Vec<Row>, Failure> {
    let mut fetched = Vec::new();
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(columns);
        for position in 0..columns {
            values.push(read(position, row.get_ref(position)?).map_err(Failure::Row)?);
        }
        fetched.push(Row::new(values));
    }
    Ok(fetched)
}
