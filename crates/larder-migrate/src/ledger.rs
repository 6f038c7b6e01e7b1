//! The ledger: which steps were applied, kept in the database itself.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use larder_core::{
    ColumnType, ColumnValue, Entity, Error, Filter, Insert, Migration, Migrations, Outcome, Result, Select,
    SortDirection, Sql, SqlOutcome, Store, Table, Transaction, Value, Verb, check_row,
};
use larder_derive::Entity;
use larder_sql::{Dialect, create_schema};

/// The ledger's table. Any program may read it; [`migrate`](crate::migrate) alone writes it.
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

/// The entries of these sources, by source and number; none when there is no ledger yet.
pub(crate) async fn read(store: &Arc<dyn Store>, sets: &[Migrations]) -> Result<Vec<LedgerEntry>> {
    if !answers_yes(&store.sql(existence()).await?) {
        return Ok(Vec::new());
    }
    let sources = sets.iter().map(Migrations::source);
    entries(store.execute(selection(sources)).await?)
}

/// The entries of one source, inside a transaction, which makes the ledger where there is none. Migrators are alone in
/// their transaction, so that only one of them finds none.
pub(crate) async fn open(transaction: &mut dyn Transaction, source: &str) -> Result<Vec<LedgerEntry>> {
    if !answers_yes(&transaction.sql(existence()).await?) {
        let script = |dialect| create_schema(dialect, &[LEDGER]);
        transaction.sql(Sql::new(script(Dialect::Postgres), script(Dialect::Sqlite))).await?;
        return Ok(Vec::new());
    }
    entries(transaction.execute(selection([source])).await?)
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
    let applied_at =
        applied_at.into_value().map_err(|wrong| Error::invalid(LEDGER.entity, "applied_at", wrong.0))?;
    let row = vec![
        Value::Text(set.source().to_owned()),
        Value::Int(i64::from(step.number)),
        Value::Text(step.name.to_string()),
        Value::Text(step.checksum()),
        applied_at,
        Value::Int(microseconds),
    ];
    check_row(LEDGER, &row)?;
    transaction.execute(Verb::Insert(Insert { table: LEDGER, rows: vec![row] })).await?;
    Ok(())
}

/// Asks for the ledger where the verbs will look for it. PostgreSQL's `to_regclass` would be shorter, but it may answer from
/// before another migrator's commit: it locks nothing, and only a lock makes a session notice that its caches are stale.
fn existence() -> Sql {
    Sql::new(
        "SELECT EXISTS (SELECT 1 FROM pg_class WHERE relname = 'larder_migrations' AND pg_table_is_visible(oid))",
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'larder_migrations')",
    )
    .returning([ColumnType::Bool])
}

fn answers_yes(outcome: &SqlOutcome) -> bool {
    outcome.rows.first().and_then(|row| row.get(0)) == Some(&Value::Bool(true))
}

fn selection<'a>(sources: impl IntoIterator<Item = &'a str>) -> Verb {
    let values = sources.into_iter().map(|source| Value::Text(source.to_owned())).collect();
    Verb::Select(Select {
        table: LEDGER,
        owner: None,
        filter: Filter::In { column: LedgerEntry::SOURCE.position(), values },
        order: vec![
            LedgerEntry::SOURCE.order(SortDirection::Asc),
            LedgerEntry::NUMBER.order(SortDirection::Asc),
        ],
        after: None,
        offset: 0,
        limit: None,
    })
}

fn entries(outcome: Outcome) -> Result<Vec<LedgerEntry>> {
    match outcome {
        Outcome::Rows(rows) => rows.into_iter().map(LedgerEntry::from_row).collect(),
        _ => {
            Err(Error::corrupt(LEDGER.entity, "").with_context("the store answered a selection without rows"))
        }
    }
}
