//! What PostgreSQL does with larder's statements on a table that is not small.

use std::time::Duration;

use larder::{ColumnType, Filter, Larder, Sql, Value, prelude::*};
use larder_conformance::together;
use larder_testing::{Postgres, poll_until};

/// How often an index was used, once the server has said so: statistics arrive a moment after the statement.
async fn uses_of(larder: &Larder, index: &'static str) -> larder::Result<i64> {
    let query = "SELECT coalesce(sum(idx_scan), 0)::bigint FROM pg_stat_user_indexes WHERE indexrelname = $1";
    let query = Sql::new(query, "").bind(ColumnType::Text, Value::Text(index.to_owned()));
    let rows = larder.system().sql(query.returning([ColumnType::Int])).await?.rows;
    Ok(match rows.first().and_then(|row| row.get(0)) {
        Some(Value::Int(uses)) => *uses,
        _ => 0,
    })
}

/// Of ten thousand jobs of which one in a hundred is active, a claim reads those that are due, by the partial index.
#[tokio::test]
async fn a_claim_is_served_by_the_index_on_due_work() -> larder::Result<()> {
    const INDEX: &str = "jobs_next_run_at_id_idx";
    let server = Postgres::shared().await.map_err(failed)?;
    let database = server.database().await.map_err(failed)?;
    let larder = Larder::open(database.url()).await?;
    larder.migrate().await?;
    let user = larder.system().users().create(NewUser::default()).await?;
    let due = "2026-01-01T00:00:00Z".parse().ok();
    let job = |number: u32| NewJob {
        status: if number.is_multiple_of(100) { JobStatus::Active } else { JobStatus::Paused },
        next_run_at: due,
        ..NewJob::new(format!("Tell me the weather in place {number}"))
    };
    larder.user(user.id).jobs().create_many((0..10_000).map(job)).await?;
    larder.system().sql(Sql::portable("ANALYZE")).await?;

    let before = uses_of(&larder, INDEX).await?;
    let claim = ClaimDue { limit: 5, lease: chrono::TimeDelta::minutes(1), worker: "worker".to_owned() };
    assert_eq!(larder.system().jobs().claim_due(claim).await?.len(), 5);
    poll_until(Duration::from_secs(30), "the claim's use of the index", || async {
        let uses = uses_of(&larder, INDEX).await.ok()?;
        (uses > before).then_some(())
    })
    .await
    .map_err(failed)
}

fn failed(error: larder_testing::TestingError) -> Error {
    Error::new(ErrorKind::Application, "the test's server").with_source(error)
}

/// Two batches that change the same rows lock them in the same order, also under a plan that comes to them in the order in
/// which they lie: then a batch that is under way moves them.
#[tokio::test(flavor = "multi_thread")]
async fn batches_that_change_the_same_rows_do_not_deadlock() -> larder::Result<()> {
    const ROWS: usize = 64;
    const CALLERS: usize = 68;
    const TURNS: usize = 300;
    let server = Postgres::shared().await.map_err(failed)?;
    let database = server.database().await.map_err(failed)?;
    let observer = Larder::open(database.url()).await?;
    observer.migrate().await?;
    let user = observer.system().users().create(NewUser::default()).await?.id;
    let jobs = (0..ROWS).map(|number| NewJob::new(format!("counter {number}")));
    let jobs: Vec<_> = observer.user(user).jobs().create_many(jobs).await?.iter().map(|job| job.id).collect();

    // Now they lie in the opposite of the order of their keys, among others.
    for job in jobs.iter().rev() {
        observer.user(user).jobs().pause(*job).await?;
    }
    let others = (0..900).map(|number| NewJob::new(format!("another {number}")));
    observer.user(user).jobs().create_many(others).await?;
    // Few rows are looked up by their key, many are found by a scan.
    let custom = "DO $$ BEGIN
            EXECUTE format('ALTER DATABASE %I SET plan_cache_mode = force_custom_plan', current_database());
        END $$";
    observer.system().sql(Sql::portable(custom)).await?;
    // One with many callers, one with few.
    let url = format!("{}?lanes=on", database.url());
    let handles = [Larder::open(&url).await?, Larder::open(&url).await?];
    let adding = together(CALLERS, |caller| {
        let (jobs, mine) = (jobs.clone(), handles[usize::from(caller >= 64)].user(user).jobs());
        async move {
            for turn in 0..TURNS {
                let job = jobs[(caller * 7 + turn * 5) % ROWS];
                mine.update_if(job, Filter::always(), vec![Job::TOTAL_TOKENS.add(1)]).await?;
            }
            larder::Result::Ok(())
        }
    });
    adding.await.into_iter().collect::<larder::Result<()>>()?;
    for handle in handles {
        handle.close().await?;
    }

    let sum: i64 = observer
        .user(user)
        .jobs()
        .select(Filter::always(), vec![], None)
        .await?
        .iter()
        .map(|job| job.total_tokens)
        .sum();
    assert_eq!(sum, (CALLERS * TURNS) as i64);
    assert_eq!(deadlocks(&observer).await?, 0);
    Ok(())
}

/// How many deadlocks the server had to resolve in this database.
async fn deadlocks(observer: &Larder) -> larder::Result<i64> {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    poll_until(Duration::from_secs(30), "the other sessions end, and say what they saw", || async {
        (number(observer, others).await.ok()? == 0).then_some(())
    })
    .await
    .map_err(failed)?;
    number(observer, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").await
}

async fn number(larder: &Larder, query: &'static str) -> larder::Result<i64> {
    let rows = larder.system().sql(Sql::portable(query).returning([ColumnType::Int])).await?.rows;
    Ok(match rows.first().and_then(|row| row.get(0)) {
        Some(Value::Int(number)) => *number,
        _ => 0,
    })
}
