//! Migrators that are processes of their own: this test program, started again to run [`worker`] alone.

use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use larder_core::{Begin, ErrorKind, Migrations, Store};
use larder_migrate::status;
use larder_testing::poll_until;

use crate::{
    concurrency::{assert_counted, counted},
    databases::{Database, migrate, names, number, on_both, open},
};

on_both!(eight_processes_apply_each_step_once, a_killed_migrator_leaves_nothing_half_done);

/// Tells [`worker`] which database to migrate.
const URL: &str = "LARDER_MIGRATE_TEST_URL";
/// Tells it to take the steps that do not end.
const ENDLESS: &str = "LARDER_MIGRATE_TEST_ENDLESS";
/// What it prints before the name of each step that it applied.
const APPLIED: &str = "applied: ";

/// Migrates the database that the environment names; a fresh one when a person runs it.
#[tokio::test]
async fn worker() {
    let fresh = Database::libsql();
    let url = std::env::var(URL).unwrap_or_else(|_| fresh.url());
    let set = if std::env::var(ENDLESS).is_ok() { endless(true) } else { counted() };
    let store = open(&url).await;
    for step in names(migrate(&store, &[set]).await.unwrap()) {
        println!("{APPLIED}{step}");
    }
    assert!(status(&store, &[counted()]).await.unwrap().pending.is_empty());
    store.close().await.unwrap();
}

fn worker_on(url: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "processes::worker", "--nocapture", "--test-threads=1"]).env(URL, url);
    command.stdout(Stdio::piped());
    command
}

async fn eight_processes_apply_each_step_once(database: Database) {
    let url = database.url();
    let workers: Vec<_> = (0..8).map(|_| worker_on(&url).spawn().unwrap()).collect();
    let mut applied = Vec::new();
    for worker in workers {
        let output = tokio::task::spawn_blocking(|| worker.wait_with_output()).await.unwrap().unwrap();
        assert!(output.status.success());
        let output = String::from_utf8(output.stdout).unwrap();
        applied.extend(
            output.lines().filter_map(|line| line.split_once(APPLIED)).map(|(_, step)| step.to_owned()),
        );
    }
    applied.sort();
    let set = counted();
    let all: Vec<_> = set.steps().iter().map(|step| set.describe(step)).collect();
    assert_eq!(applied, all, "each step is applied by one process");
    assert_counted(&database.open().await).await;
}

/// Two steps; the second makes a table and then takes very long, if it is told to.
fn endless(is_endless: bool) -> Migrations {
    let (create, create_strict) =
        ("CREATE TABLE half (n bigint NOT NULL);", "CREATE TABLE half (n INTEGER NOT NULL) STRICT;");
    let count = "INSERT INTO half WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000000000) \
                 SELECT count(*) FROM c;";
    let set = Migrations::new("endless").then("first", "SELECT 1", "SELECT 1");
    if is_endless {
        set.then("second", format!("{create} SELECT pg_sleep(60)"), format!("{create_strict} {count}"))
    } else {
        set.then("second", create, create_strict)
    }
}

/// Is the other process in the middle of the second step?
async fn is_in_second_step(database: &Database, store: &Arc<dyn Store>) -> bool {
    if status(store, &[endless(true)]).await.unwrap().applied.len() != 1 {
        return false;
    }
    match database {
        Database::Libsql(_) => match store.begin(Begin::Serializable).await {
            Ok(transaction) => transaction.rollback().await.is_err(),
            Err(error) => *error.kind() == ErrorKind::Busy,
        },
        Database::Postgres(_) => {
            let query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                         AND wait_event = 'PgSleep'";
            number(store, query).await == 1
        }
    }
}

async fn a_killed_migrator_leaves_nothing_half_done(database: Database) {
    let options = if matches!(database, Database::Libsql(_)) { "?busy_timeout=0ms" } else { "" };
    let store = open(&format!("{}{options}", database.url())).await;
    let mut worker = worker_on(&database.url()).env(ENDLESS, "1").spawn().unwrap();
    let in_second_step = || async { is_in_second_step(&database, &store).await.then_some(()) };
    poll_until(Duration::from_secs(30), "the second step begins", in_second_step).await.unwrap();
    // SIGKILL.
    worker.kill().unwrap();
    worker.wait().unwrap();

    let set = [endless(false)];
    assert_eq!(status(&store, &set).await.unwrap().pending, ["endless 0002_second"]);
    let begun = std::time::Instant::now();
    // It could not make the table if the killed one had left it there.
    assert_eq!(names(migrate(&store, &set).await.unwrap()), ["endless 0002_second"]);
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "the dead migrator's lock was held for {:?}",
        begun.elapsed()
    );
    assert_eq!(number(&store, "SELECT count(*) FROM half").await, 0);
}
