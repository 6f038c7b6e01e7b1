//! PostgreSQL is killed while 64 tasks write, by one handle that is never opened anew.

use std::{borrow::Cow, time::Duration};

use fastrand::Rng;
use larder::{ColumnType, Larder, Sql, Value};
use larder_testing::{Postgres, PostgresDatabase, poll_until};

use crate::{kills, through::kill_again_and_again};

/// How PostgreSQL names the sessions of the writers.
const NAME: &str = "larder_faults_server";
/// Longer than any recovery.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server's main process and all others go at once, and it is started again.
#[tokio::test(flavor = "multi_thread")]
async fn every_caller_is_told_the_truth_when_the_server_is_killed() {
    let (server, database) = migrated().await;
    let mut random = Rng::with_seed(20_260_102);
    let fault = async || {
        server.kill().await.unwrap();
        server.restart().await.unwrap();
    };
    kill_again_and_again("PostgreSQL", kills(20), &url(&database), &mut random, fault).await;
}

/// One session goes, in the middle of a statement, and the server ends all others.
#[tokio::test(flavor = "multi_thread")]
async fn every_caller_is_told_the_truth_when_a_session_is_killed() {
    let (server, database) = migrated().await;
    let observer = Larder::open(&format!("{}?pool_size=1", database.url())).await.unwrap();
    let mut random = Rng::with_seed(20_260_103);
    let fault = async || {
        let found = || async { working_session(&observer).await.ok().flatten() };
        let (victim, bystander) = poll_until(PATIENCE, "a session works", found).await.unwrap();
        server.kill_session(victim).await.unwrap();
        // A moment passes before the server notices; then the observer's session is ended with all others.
        let noticed = || async {
            let session = observer.system().sql(numbers("SELECT pg_backend_pid()::bigint", 1)).await.ok()?;
            (session.rows[0].get(0) != Some(&bystander)).then_some(())
        };
        poll_until(PATIENCE, "the server has recovered", noticed).await.unwrap();
    };
    kill_again_and_again("a session of PostgreSQL", kills(40), &url(&database), &mut random, fault).await;
}

async fn migrated() -> (Postgres, PostgresDatabase) {
    let server = Postgres::builder().own(true).start().await.unwrap();
    let database = server.database().await.unwrap();
    Larder::open(database.url()).await.unwrap().migrate().await.unwrap();
    (server, database)
}

fn url(database: &PostgresDatabase) -> String {
    format!("{}?lanes=on&application_name={NAME}", database.url())
}

/// A session of the writers that is executing something, and the observer's.
async fn working_session(observer: &Larder) -> larder::Result<Option<(u32, Value)>> {
    let working = format!(
        "SELECT pid::bigint, pg_backend_pid()::bigint FROM pg_stat_activity
         WHERE application_name = '{NAME}' AND state = 'active' ORDER BY random() LIMIT 1"
    );
    let rows = observer.system().sql(numbers(working, 2)).await?.rows;
    Ok(match rows.first().map(|row| row.values()) {
        Some([Value::Int(victim), bystander]) => {
            u32::try_from(*victim).ok().map(|victim| (victim, bystander.clone()))
        }
        _ => None,
    })
}

/// A query that answers this many numbers in each row.
fn numbers(query: impl Into<Cow<'static, str>>, count: usize) -> Sql {
    Sql::portable(query).returning(vec![ColumnType::Int; count])
}
