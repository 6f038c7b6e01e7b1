//! One statement, run.

use std::{
    future::ready,
    pin::pin,
    task::{Context, Poll, Waker},
};

use crate::{
    database::Database,
    error::{SqliteError, from_sqlite},
    value::{Param, read, wrong},
};
use larder_core::{ColumnType, Error, ErrorKind, Outcome, Result, Row, Value};
use larder_sql::{Bind, Rendered, Returns, Statements};

/// Why a statement failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// SQLite says so.
    Sqlite(SqliteError),
    /// It was not run, or a row that it returned could not be read.
    Other(Error),
}

impl Failure {
    /// The error, SQLite's own in the words of `explain`.
    pub(crate) fn explained(self, explain: impl FnOnce(SqliteError) -> Error) -> Error {
        match self {
            Self::Sqlite(error) => explain(error),
            Self::Other(error) => error,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error.into())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.explained(from_sqlite)
    }
}

/// Where statements run, one after the other, each seeing what those before it wrote.
pub(crate) trait Run {
    /// What their texts are rendered with.
    fn statements(&self) -> &Statements;

    /// Runs a statement. Answers `Rows` or `Count`, as its `returns` says.
    fn run(&self, statement: impl Into<Rendered> + Send) -> impl Future<Output = Result<Outcome, Failure>>;
}

/// A connection of this process: it never has to be waited for.
impl Run for Database {
    fn statements(&self) -> &Statements {
        Database::statements(self)
    }

    fn run(&self, statement: impl Into<Rendered> + Send) -> impl Future<Output = Result<Outcome, Failure>> {
        ready(run(self, statement))
    }
}

/// The answer of what was composed for any [`Run`], and ran on a connection of this process.
pub(crate) fn at_once<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => {
            Err(Error::new(ErrorKind::Database, "a statement on a local connection was waited for"))
        }
    }
}

/// Runs a statement, prepared before or now. Answers `Rows` or `Count`, as its `returns` says.
fn run(database: &Database, statement: impl Into<Rendered>) -> Result<Outcome, Failure> {
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

pub(crate) fn values(bind: &Bind) -> &[Value] {
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
                return Err(Failure::Other(corrupt(position).with_context(wrong(kind, found))));
            };
            values.push(value);
        }
        fetched.push(Row::new(values));
    }
    Ok(fetched)
}
