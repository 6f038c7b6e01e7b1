//! Several migrators at once, in this process.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use larder_core::{
    Begin, Capability, Error, ErrorKind, Freshness, Health, Migrations, Outcome, Result, Sql, SqlOutcome,
    Store, Transaction, Unit, Verb,
};

use crate::databases::{Database, ledger, migrate, names, notes, number, on_both};

on_both!(eight_at_once_apply_each_step_once, a_lock_that_is_held_is_tried_again);

/// Ten steps, each of which leaves a row for every time it is run.
pub(crate) fn counted() -> Migrations {
    let create = Migrations::new("counted").then(
        "create",
        "CREATE TABLE runs (step bigint NOT NULL)",
        "CREATE TABLE runs (step INTEGER NOT NULL) STRICT",
    );
    (2..=10).fold(create, |set, step| {
        let script = format!("INSERT INTO runs VALUES ({step})");
        set.then(format!("run_{step}"), script.clone(), script)
    })
}

/// Each of the ten steps was run once.
pub(crate) async fn assert_counted(store: &Arc<dyn Store>) {
    assert_eq!(number(store, "SELECT count(*) FROM runs").await, 9);
    assert_eq!(number(store, "SELECT count(DISTINCT step) FROM runs").await, 9);
    assert_eq!(ledger(store).await.len(), 10);
}

async fn eight_at_once_apply_each_step_once(database: Database) {
    let mut stores = Vec::new();
    for _ in 0..8 {
        stores.push(database.open().await);
    }
    let migrators: Vec<_> = stores
        .iter()
        .cloned()
        .map(|store| tokio::spawn(async move { migrate(&store, &[counted()]).await }))
        .collect();
    let mut applied = Vec::new();
    for migrator in migrators {
        applied.extend(names(migrator.await.unwrap().unwrap()));
    }
    applied.sort();
    let set = counted();
    let all: Vec<_> = set.steps().iter().map(|step| set.describe(step)).collect();
    assert_eq!(applied, all, "each step is applied, and told of, by one migrator");
    assert_counted(&stores[0]).await;
}

/// A store that cannot open a transaction for the first few times, as SQLite's when another process migrates for longer
/// than the store is ready to wait.
#[derive(Debug)]
struct BusyAtFirst {
    inner: Arc<dyn Store>,
    times: AtomicU32,
}

#[async_trait::async_trait]
impl Store for BusyAtFirst {
    fn supports(&self, capability: Capability) -> bool {
        self.inner.supports(capability)
    }

    async fn execute(&self, verb: Verb) -> Result<Outcome> {
        self.inner.execute(verb).await
    }

    async fn run(&self, unit: Unit) -> Result<Vec<Outcome>> {
        self.inner.run(unit).await
    }

    async fn begin(&self, begin: Begin) -> Result<Box<dyn Transaction>> {
        match self.times.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |times| times.checked_sub(1)) {
            Ok(_) => Err(Error::new(ErrorKind::Busy, "")),
            Err(_) => self.inner.begin(begin).await,
        }
    }

    async fn sql(&self, sql: Sql) -> Result<SqlOutcome> {
        self.inner.sql(sql).await
    }

    fn reading(&self, _: Freshness) -> Option<Arc<dyn Store>> {
        None
    }

    async fn health(&self) -> Result<Health> {
        self.inner.health().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

async fn a_lock_that_is_held_is_tried_again(database: Database) {
    let store: Arc<dyn Store> =
        Arc::new(BusyAtFirst { inner: database.open().await, times: AtomicU32::new(3) });
    assert_eq!(migrate(&store, &[notes()]).await.unwrap().len(), 3);
}
