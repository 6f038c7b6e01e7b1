//! One prepared statement, run.

use crate::{
    database::Database,
    error::from_sqlite,
    value::{Param, read, wrong},
};
use larder_core::{ColumnType, Error, Outcome, Row, Value};
use larder_sql::{Bind, Rendered, Returns};

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
            let kinds = columns.iter().map(|column| column.kind);
            let corrupt = |position: usize| Error::corrupt(table.entity, columns[position].name);
            fetch(&mut prepared, kinds, corrupt).map(Outcome::Rows)
        }
        Returns::Types(types) => {
            let corrupt = |_| Error::corrupt("database", "");
            fetch(&mut prepared, types.iter().copied(), corrupt).map(Outcome::Rows)
        }
    }
}

fn values(bind: &Bind) -> &[Value] {
    match bind {
        Bind::One { value, .. } | Bind::Pattern { value } => std::slice::from_ref(value),
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

/// The rows, whose columns are of these types. A value that is of another one is the error that `corrupt` gives for its
/// position.
pub(crate) fn fetch(
    prepared: &mut rusqlite::Statement<'_>,
    kinds: impl ExactSizeIterator<Item = ColumnType> + Clone,
    corrupt: impl Fn(usize) -> Error,
) -> Result<Vec<Row>, Failure> {
    let mut fetched = Vec::new();
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(kinds.len());
        for (position, kind) in kinds.clone().enumerate() {
            let found = row.get_ref(position)?;
            let Some(value) = read(kind, found) else {
                return Err(Failure::Row(corrupt(position).with_context(wrong(kind, found))));
            };
            values.push(value);
        }
        fetched.push(Row::new(values));
    }
    Ok(fetched)
}
