//! The escape hatch.

use larder_core::{ColumnType, Error, Result, Sql, SqlOutcome};
use libsql_hrana::proto::{DescribeResult, StmtResult};

use super::{
    stream::Stream,
    wire::{bare, rows, to_wire},
};
use crate::{explain::explain_sql, sql::is_script, statement::Failure, words::ends_transaction};

/// Executes SQL on a stream, inside whatever transaction is open there.
pub(crate) async fn execute(stream: &Stream<'_>, sql: &Sql) -> Result<SqlOutcome> {
    if ends_transaction(&sql.sqlite) {
        return Err(Error::unsupported(
            "transactions, savepoints and attached databases are not for SQL: use `begin`",
        ));
    }
    if is_script(sql) {
        return match stream.sequence(sql.sqlite.to_string()).await {
            Ok(()) => Ok(SqlOutcome::default()),
            Err(failure) => Err(failure.explained(explain_sql)),
        };
    }
    let description = stream.describe(&sql.sqlite).await.map_err(|failure| failure.explained(explain_sql))?;
    check(sql, &description)?;
    let mut stmt = bare(&sql.sqlite, true);
    stmt.args = sql.binds.iter().map(|(_, value)| to_wire(value)).collect();
    let result = stream.execute(stmt).await.map_err(one_statement)?;
    outcome(sql, description.is_readonly, result)
}

/// What is given must fit what the statement takes: else values would be left out without a word.
pub(crate) fn check(sql: &Sql, description: &DescribeResult) -> Result<()> {
    let (given, wanted) = (sql.binds.len(), description.params.len());
    if given != wanted {
        let reason = format!("{given} given, but the statement has {wanted} placeholders");
        return Err(Error::invalid("Sql", "binds", reason));
    }
    let (named, returned) = (sql.returns.len(), description.cols.len());
    if named > 0 && named != returned {
        let reason = format!("{named} named, but the statement returns {returned} columns");
        return Err(Error::invalid("Sql", "returns", reason));
    }
    Ok(())
}

fn one_statement(failure: Failure) -> Error {
    failure.explained(explain_sql)
}

pub(crate) fn outcome(sql: &Sql, is_readonly: bool, result: StmtResult) -> Result<SqlOutcome> {
    let affected = if is_readonly { 0 } else { result.affected_row_count };
    let names: Vec<_> = result.cols.iter().map(|column| column.name.clone().unwrap_or_default()).collect();
    let kinds: &[ColumnType] = &sql.returns;
    let corrupt = |position: usize| Error::corrupt("Sql", names.get(position).cloned().unwrap_or_default());
    let rows = rows(result.rows, kinds.iter().copied(), corrupt)?;
    Ok(SqlOutcome { rows, affected })
}
