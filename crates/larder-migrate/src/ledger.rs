//! The ledger: which steps were applied, kept in the database itself.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use larder_core::{
    ColumnValue, Entity, Error, ErrorKind, Filter, Insert, Migration, Migrations, Outcome, Result, Select, SortDirection, Sql, Store, Table,
    Transaction, Value, Verb, check_value,
};
use larder_derive::Entity;
use larder_sql::{Dialect, create_table};

/// The ledger's table.
pub const LEDGER: &Table = LedgerEntry::TABLE;

/// A step that was applied.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(table = "larder_migrations")]
pub struct LedgerEntry {
    /// Whose step it is: `larder`, or the application's name.
    #[entity(key)]
    pub source: String,
    /// Its number within the source.
    #[entity(key, range(1..))]
    pub number: i64,
    /// Its name.
    pub name: String,
    /// [`Migration::checksum`] at the time.
    pub checksum: String,
    /// When it was applied.
    pub applied_at: DateTime<Utc>,
    /// How long its script took, in microseconds.
    #[entity(range(0..))]
    pub duration_us: i64,
}

/// The statement that makes the ledger where there is none.
pub(crate) fn creation() -> Result<Sql> {
    let script = |dialect| {
        let statements = create_table(dialect, LEDGER).join(";\n");
        statements.replacen("CREATE TABLE ", "CREATE TABLE IF NOT EXISTS ", 1)
    };
    Ok(Sql::new(script(Dialect::Postgres), script(Dialect::Sqlite)))
}

/// The entries of a source; none when there is no ledger yet.
pub(crate) async fn read(store: &Arc<dyn Store>, source: &str) -> Result<Vec<LedgerEntry>> {
    match store.execute(selection(source)).await {
        Ok(outcome) => entries(outcome),
        Err(error) if *error.kind() == ErrorKind::Schema => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The entries of a source, inside a transaction that has made the ledger.
pub(crate) async fn read_in(transaction: &mut dyn Transaction, source: &str) -> Result<Vec<LedgerEntry>> {
    entries(transaction.execute(selection(source)).await?)
}

fn selection(source: &str) -> Verb {
    let filter = Filter::Compare {
        column: LedgerEntry::SOURCE.position(),
        op: larder_core::Op::Eq,
        value: Value::Text(source.to_owned()),
    };
    let order = vec![LedgerEntry::NUMBER.order(SortDirection::Asc)];
    Verb::Select(Select { table: LEDGER, owner: None, filter, order, after: None, offset: 0, limit: None })
}

fn entries(outcome: Outcome) -> Result<Vec<LedgerEntry>> {
    match outcome {
        Outcome::Rows(rows) => rows.into_iter().map(LedgerEntry::from_row).collect(),
        _ => Err(Error::corrupt(LEDGER.entity, "").with_context("the store answered a selection without rows")),
    }
}

/// Records a step as applied.
pub(crate) async fn record(
    transaction: &mut dyn Transaction,
    set: &Migrations,
    step: &Migration,
    applied_at: DateTime<Utc>,
    duration: Duration,
) -> Result<()> {
    let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    let row = vec![
        Value::Text(set.source().to_owned()),
        Value::Int(i64::from(step.number)),
        Value::Text(step.name.to_string()),
        Value::Text(step.checksum()),
        applied_at.into_value().map_err(|wrong| Error::invalid(LEDGER.entity, "applied_at", wrong.0))?,
        Value::Int(microseconds),
    ];
    for (position, value) in row.iter().enumerate() {
        check_value(LEDGER, position, value)?;
    }
    transaction.execute(Verb::Insert(Insert { table: LEDGER, rows: vec![row] })).await?;
    Ok(())
}
