//! The answer to a command, as it came; whoever wants its rows reads them.
//!
//! A carrier takes in the answers of many, and leaves it to each to read its own, in the task and on the thread that will use
//! the rows, and free their memory.

use std::sync::{Arc, OnceLock};

use larder_core::{ColumnType, Error, Row};
use larder_sql::Returns;

use crate::{
    error::Failure,
    value::{self, BoxError, Form},
};

/// A statement that the server has prepared, or is about to.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) name: String,
    /// The types of the columns that it answers, by their numbers, once the server has told.
    columns: OnceLock<Vec<u32>>,
}

impl Prepared {
    pub(crate) fn new(name: String) -> Arc<Self> {
        Arc::new(Self { name, columns: OnceLock::new() })
    }

    /// Notes the types of its columns: it is prepared.
    pub(crate) fn described(&self, columns: Vec<u32>) {
        self.columns.get_or_init(|| columns);
    }

    /// Has the server prepared it?
    pub(crate) fn is_ready(&self) -> bool {
        self.columns.get().is_some()
    }
}

/// The answer to a command, unread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    /// The rows that it returned, one behind the other, as they travel.
    rows: Vec<u8>,
    affected: u64,
    /// What was to be returned, by what.
    source: Option<(Returns, Arc<Prepared>)>,
}

/// The answer to a command.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The rows that it returned.
    pub(crate) rows: Vec<Row>,
    /// How many rows it changed, or returned.
    pub(crate) affected: u64,
    /// Why a row of it could not be read, and is missing. What the command did is done all the same.
    pub(crate) unreadable: Option<Error>,
}

impl Reply {
    pub(crate) fn new(rows: Vec<u8>, affected: u64, returns: Returns, prepared: Arc<Prepared>) -> Self {
        Self { rows, affected, source: Some((returns, prepared)) }
    }

    /// Reads it.
    pub(crate) fn read(self) -> Contents {
        let Self { rows, affected, source } = self;
        let mut contents = Contents { affected, ..Contents::default() };
        let Some((returns, prepared)) = source else { return contents };
        let forms = match forms(&returns, prepared.columns.get().map_or(&[], Vec::as_slice)) {
            Ok(forms) => forms,
            Err((position, cause)) => {
                contents.unreadable = Some(unreadable(&returns, position, &cause));
                return contents;
            }
        };
        let mut rest = rows.as_slice();
        contents.rows.reserve(usize::try_from(affected).unwrap_or(0).min(rows.len()));
        while !rest.is_empty() {
            match value::row(&mut rest, &forms) {
                Ok(row) => contents.rows.push(row),
                Err((position, cause)) => contents.unreadable = Some(unreadable(&returns, position, &cause)),
            }
        }
        contents
    }

    /// Reads it, or answers the error of a row that could not be read.
    ///
    /// # Errors
    /// `Refused` with `Corrupt`.
    pub(crate) fn complete(self) -> Result<Contents, Failure> {
        let mut contents = self.read();
        match contents.unreadable.take() {
            Some(error) => Err(Failure::Refused(error)),
            None => Ok(contents),
        }
    }
}

/// How the rows are read; where they cannot be, the position of the column and why.
fn forms(returns: &Returns, columns: &[u32]) -> Result<Vec<Form>, (usize, BoxError)> {
    match returns {
        Returns::Affected => Ok(Vec::new()),
        Returns::Visible(table) => value::forms(columns, table.visible().iter().map(|column| column.kind)),
        Returns::Numbered(table) => {
            let visible = table.visible().iter().map(|column| column.kind);
            value::forms(columns, visible.chain([ColumnType::Int]))
        }
        Returns::Types(kinds) => value::forms(columns, kinds.iter().copied()),
    }
}

fn unreadable(returns: &Returns, position: usize, cause: &BoxError) -> Error {
    let error = match returns {
        Returns::Visible(table) | Returns::Numbered(table) => {
            let name = table.columns.get(position).map_or("", |column| column.name);
            Error::corrupt(table.entity, name)
        }
        _ => Error::corrupt("Sql", format!("column {} of the result", position + 1)),
    };
    error.with_context(cause.to_string())
}
