//! A server with a database, and replicas of it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use larder_core::{
    Column, ColumnType, Count, Error, Filter, Freshness, Get, Insert, Key, Outcome, ReplicaReport, Result,
    Source, Sql, Store, Table, Value, Verb,
};
use larder_libsql::{RemoteConfig, RemoteStore, ReplicaConfig, ReplicaStore};
use larder_testing::{Sqld, SqldDatabase, poll_until};
use tempfile::TempDir;

pub(crate) const SOON: Duration = Duration::from_secs(30);

const fn column(name: &'static str) -> Column {
    let kind = ColumnType::Int;
    Column { name, kind, nullable: false, default: None, type_rules: &[], rules: &[], source: Source::Field }
}

pub(crate) static COUNTERS: Table = Table {
    name: "counters",
    entity: "Counter",
    columns: &[column("id"), column("value")],
    visible: 2,
    primary_key: &[0],
    uniques: &[],
    foreign_keys: &[],
    indexes: &[],
    owner: None,
    created_at: None,
    updated_at: None,
};

/// A server of its own, with one database that has the table.
pub(crate) struct Primary {
    pub(crate) server: Sqld,
    pub(crate) database: SqldDatabase,
    directory: TempDir,
}

impl Primary {
    pub(crate) async fn start() -> Self {
        let server = Sqld::start().await.expect("a server");
        let database = server.database().await.expect("a database");
        let primary = Self { server, database, directory: TempDir::new().expect("a directory") };
        primary
            .write("CREATE TABLE counters (id INTEGER PRIMARY KEY NOT NULL, value INTEGER NOT NULL) STRICT")
            .await;
        primary
    }

    /// What writes to it without any replica.
    pub(crate) fn remote(&self) -> RemoteStore {
        RemoteStore::new(RemoteConfig::parse(self.database.url()).expect("config")).expect("a store")
    }

    /// Executes a script on it, as another process would.
    pub(crate) async fn write(&self, script: &str) {
        self.remote().sql(Sql::portable(script.to_owned())).await.expect("written");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn config(&self, name: &str, options: &str) -> ReplicaConfig {
        let path = self.path(name);
        let url = format!("{}?replica={}{options}", self.database.url(), path.display());
        ReplicaConfig::parse(&url).expect("config")
    }

    pub(crate) async fn replica(&self, name: &str, options: &str) -> ReplicaStore {
        ReplicaStore::open(self.config(name, options)).await.expect("a replica")
    }
}

pub(crate) fn local(replica: &ReplicaStore) -> Arc<dyn Store> {
    replica.reading(Freshness::Local).expect("a replica")
}

pub(crate) async fn insert(store: &dyn Store, id: i64, value: i64) -> Result<Outcome> {
    let rows = vec![vec![Value::Int(id), Value::Int(value)]];
    store.execute(Verb::Insert(Insert { table: &COUNTERS, rows })).await
}

pub(crate) async fn value(store: &dyn Store, id: i64) -> Result<Option<i64>> {
    let key = Key { columns: &[0], values: vec![Value::Int(id)] };
    match store.execute(Verb::Get(Get { table: &COUNTERS, owner: None, key })).await? {
        Outcome::Row(row) => Ok(row.map(|row| match row.get(1) {
            Some(Value::Int(value)) => *value,
            other => panic!("a counter's value is {other:?}"),
        })),
        other => panic!("get answered {other:?}"),
    }
}

pub(crate) async fn count(store: &dyn Store) -> Result<u64> {
    let count = Count { table: &COUNTERS, owner: None, filter: Filter::always() };
    Ok(store.execute(Verb::Count(count)).await?.rows())
}

/// The one number that a query answers.
pub(crate) async fn number(store: &dyn Store, query: &'static str) -> Result<i64> {
    let outcome = store.sql(Sql::portable(query).returning([ColumnType::Int])).await?;
    match outcome.rows.first().and_then(|row| row.get(0)) {
        Some(Value::Int(number)) => Ok(*number),
        other => panic!("{query} answered {other:?}"),
    }
}

pub(crate) async fn report(replica: &ReplicaStore) -> ReplicaReport {
    replica.health().await.expect("health").replica.expect("a report")
}

/// Waits until a store reads this many counters.
pub(crate) async fn until_count(store: &dyn Store, wanted: u64) {
    let follows = async || count(store).await.ok().filter(|count| *count == wanted);
    poll_until(SOON, "the replica to follow", follows).await.expect("followed");
}

pub(crate) fn refusal<T>(answer: Result<T>) -> Error {
    match answer {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error,
    }
}
