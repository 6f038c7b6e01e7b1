//! A fresh database of either kind, and what the tests ask it.

use std::sync::Arc;

use larder_core::{Clock, ColumnType, ManualClock, Migrations, Result, Sql, Store, Value};
use larder_libsql::{LibsqlConfig, LibsqlStore};
use larder_migrate::Applied;
use larder_postgres::{PostgresConfig, PostgresStore};
use larder_testing::{Postgres, PostgresDatabase};
use tempfile::TempDir;

/// Runs each of these tests, which take a [`Database`], on both.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod libsql {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::databases::Database::libsql()).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::databases::Database::postgres().await).await;
            })+
        }
    };
}
pub(crate) use on_both;

/// An empty database. It is gone when this is dropped.
pub(crate) enum Database {
    Libsql(TempDir),
    Postgres(PostgresDatabase),
}

impl Database {
    pub(crate) fn libsql() -> Self {
        Self::Libsql(tempfile::tempdir().unwrap())
    }

    pub(crate) async fn postgres() -> Self {
        Self::Postgres(Postgres::shared().await.unwrap().database().await.unwrap())
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Libsql(directory) => format!("file:{}", directory.path().join("test.db").display()),
            Self::Postgres(database) => database.url().to_owned(),
        }
    }

    /// A handle of its own.
    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        open(&self.url()).await
    }
}

pub(crate) async fn open(url: &str) -> Arc<dyn Store> {
    if url.starts_with("file:") {
        Arc::new(LibsqlStore::open(LibsqlConfig::parse(url).unwrap()).await.unwrap())
    } else {
        Arc::new(PostgresStore::connect(PostgresConfig::parse(url).unwrap()).await.unwrap())
    }
}

/// 2026-01-02 03:04:05.678901 UTC, and 234 ns.
pub(crate) fn clock() -> ManualClock {
    ManualClock::new(chrono::DateTime::from_timestamp(1_767_323_045, 678_901_234).unwrap())
}

/// Migrates, at the time of [`clock`].
pub(crate) async fn migrate(store: &Arc<dyn Store>, sets: &[Migrations]) -> Result<Vec<Applied>> {
    let clock: &dyn Clock = &clock();
    larder_migrate::migrate(store, clock, sets).await
}

/// What was applied, by name.
pub(crate) fn names(applied: Vec<Applied>) -> Vec<String> {
    applied.into_iter().map(|applied| applied.step).collect()
}

/// Three steps, the second of which needs the first, and the third changes what the second wrote.
pub(crate) fn notes() -> Migrations {
    let create = "CREATE TABLE notes (number bigint NOT NULL, text text NOT NULL)";
    let create_strict = "CREATE TABLE notes (number INTEGER NOT NULL, text TEXT NOT NULL) STRICT";
    let insert = "INSERT INTO notes VALUES (1, 'one'); INSERT INTO notes VALUES (2, 'two')";
    let update = "UPDATE notes SET text = text || '!'";
    Migrations::new("notes")
        .then("create", create, create_strict)
        .then("fill", insert, insert)
        .then("shout", update, update)
}

/// The number that a query answers.
pub(crate) async fn number(store: &Arc<dyn Store>, query: &'static str) -> i64 {
    let outcome = store.sql(Sql::portable(query).returning([ColumnType::Int])).await.unwrap();
    match outcome.rows[0].get(0) {
        Some(Value::Int(number)) => *number,
        other => panic!("{query}: {other:?}"),
    }
}

/// The entries of the ledger as `source number name`.
pub(crate) async fn ledger(store: &Arc<dyn Store>) -> Vec<String> {
    let query = "SELECT source, number, name FROM larder_migrations ORDER BY source, number";
    let types = [ColumnType::Text, ColumnType::Int, ColumnType::Text];
    let outcome = store.sql(Sql::portable(query).returning(types)).await.unwrap();
    let rows = outcome.rows.into_iter().map(|row| match row.into_values().as_slice() {
        [Value::Text(source), Value::Int(number), Value::Text(name)] => format!("{source} {number} {name}"),
        other => panic!("{other:?}"),
    });
    rows.collect()
}
