//! What PostgreSQL does with larder's statements on a table that is not small.

use std::time::Duration;

use larder::{ColumnType, Larder, Sql, Value, prelude::*};
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
