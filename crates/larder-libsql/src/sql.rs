//! The escape hatch.

use larder_core::{Error, Result, Sql, SqlOutcome};
use rusqlite::{Batch, Statement};

use crate::{
    call::Work,
    database::Database,
    error::from_sqlite,
    explain::explain_sql,
    statement::{bind, fetch},
};

/// Without placeholders and answers, SQL is a script: any number of statements, for the writer.
pub(crate) fn is_script(sql: &Sql) -> bool {
    sql.binds.is_empty() && sql.returns.is_empty()
}

/// SQL with all rights. It runs in a transaction of its own: what a script does to the schema is not for neighbours.
impl Work for Sql {
    type Answer = SqlOutcome;

    const ALONE: bool = true;

    fn run(&self, database: &Database) -> Result<SqlOutcome> {
        if is_script(self) {
            database.connection().execute_batch(&self.sqlite).map_err(explain_sql)?;
            return Ok(SqlOutcome::default());
        }
        let mut statement = only_statement(database, self)?;
        run_statement(database, self, &mut statement)
    }

    fn is_read(&self) -> bool {
        false
    }
}

/// One statement, tried on a reader. Answers `None`, having done nothing, when it is not a read.
pub(crate) struct MaybeRead(pub(crate) Sql);

impl Work for MaybeRead {
    type Answer = Option<SqlOutcome>;

    fn run(&self, database: &Database) -> Result<Option<SqlOutcome>> {
        let mut statement = only_statement(database, &self.0)?;
        if !statement.readonly() {
            return Ok(None);
        }
        run_statement(database, &self.0, &mut statement).map(Some)
    }

    fn is_read(&self) -> bool {
        true
    }
}

/// The one statement of a text. SQLite itself would leave out a second one without a word.
fn only_statement<'a>(database: &'a Database, sql: &Sql) -> Result<Statement<'a>> {
    let mut batch = Batch::new(database.connection(), &sql.sqlite);
    let Some(statement) = batch.next().map_err(from_sqlite)? else {
        return Err(Error::invalid("Sql", "sqlite", "holds no statement"));
    };
    // An error, too, means that something follows.
    if !matches!(batch.next(), Ok(None)) {
        let reason = "with binds or returned columns it must be one statement";
        return Err(Error::invalid("Sql", "sqlite", reason));
    }
    let (given, wanted) = (sql.binds.len(), statement.parameter_count());
    if given != wanted {
        let reason = format!("{given} given, but the statement has {wanted} placeholders");
        return Err(Error::invalid("Sql", "binds", reason));
    }
    let (named, returned) = (sql.returns.len(), statement.column_count());
    if named > 0 && named != returned {
        let reason = format!("{named} named, but the statement returns {returned} columns");
        return Err(Error::invalid("Sql", "returns", reason));
    }
    Ok(statement)
}

fn run_statement(database: &Database, sql: &Sql, statement: &mut Statement<'_>) -> Result<SqlOutcome> {
    let names: Vec<_> = statement.column_names().into_iter().map(str::to_owned).collect();
    bind(statement, sql.binds.iter().map(|(_, value)| value)).map_err(from_sqlite)?;
    let corrupt = |position: usize| Error::corrupt("Sql", names[position].clone());
    let rows = fetch(statement, sql.returns.iter().copied(), corrupt);
    let rows = rows.map_err(|failure| failure.explained(explain_sql))?;
    let affected = if statement.readonly() { 0 } else { database.connection().changes() };
    Ok(SqlOutcome { rows, affected })
}
