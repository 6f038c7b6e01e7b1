//! PostgreSQL gone in mid-call: the call says so, and the next one works without opening anew.

use std::time::Duration;

use larder::{Begin, ColumnType, Sql, Value, prelude::*};
use larder_testing::{PostgresDatabase, Proxy, poll_until};

use crate::databases::{Database, user};

/// A database, a handle on it by way of a proxy, and a handle that goes straight.
struct Fixture {
    _database: PostgresDatabase,
    proxy: Proxy,
    through: Larder,
    straight: Larder,
}

impl Fixture {
    async fn new() -> Self {
        let Database::Postgres(database) = Database::postgres().await else { unreachable!() };
        let proxy = Proxy::start(database.address().unwrap()).await.unwrap();
        let through = Larder::open(&database.url_through(proxy.address()).unwrap()).await.unwrap();
        let straight = Larder::open(database.url()).await.unwrap();
        straight.migrate().await.unwrap();
        Self { _database: database, proxy, through, straight }
    }

    /// Waits until a statement waits for a lock that another one holds, by itself: one that carries others waits only shortly.
    async fn blocked(&self) {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
            AND clock_timestamp() - query_start > interval '200 ms'";
        let sql = Sql::portable(query).returning([ColumnType::Int]);
        let is_blocked = || async {
            let rows = self.straight.system().sql(sql.clone()).await.unwrap().rows;
            (rows[0].get(0) == Some(&Value::Int(1))).then_some(())
        };
        poll_until(Duration::from_secs(20), "a statement waits for a lock", is_blocked).await.unwrap();
    }
}

/// The statement never ends by itself: another transaction locks the table.
const LOCK: &str = "LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE";

#[tokio::test]
async fn a_write_whose_connection_is_cut_is_ambiguous() {
    let fixture = Fixture::new().await;
    let jobs = user(&fixture.through).await.jobs();
    let job = jobs.create(NewJob::new("Water the plants")).await.unwrap();

    // Only the row: a statement that cannot even be prepared has certainly changed nothing.
    let mut holder = fixture.straight.store().begin(Begin::Serializable).await.unwrap();
    holder.sql(Sql::portable("SELECT FROM jobs FOR UPDATE")).await.unwrap();
    let pausing = tokio::spawn({
        let jobs = jobs.clone();
        async move { jobs.archive(job.id).await }
    });
    fixture.blocked().await;
    fixture.proxy.cut();
    let error = pausing.await.unwrap().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Ambiguous, "{error:?}");
    assert!(!error.is_retryable());

    holder.rollback().await.unwrap();
    assert_eq!(jobs.activate(job.id).await.unwrap().status, JobStatus::Active);
}

#[tokio::test]
async fn a_read_whose_connection_is_cut_is_tried_on_another() {
    let fixture = Fixture::new().await;
    let jobs = user(&fixture.through).await.jobs();
    let job = jobs.create(NewJob::new("Water the plants")).await.unwrap();

    let mut holder = fixture.straight.store().begin(Begin::Serializable).await.unwrap();
    holder.sql(Sql::portable(LOCK)).await.unwrap();
    let getting = tokio::spawn({
        let jobs = jobs.clone();
        async move { jobs.get(job.id).await }
    });
    fixture.blocked().await;
    fixture.proxy.cut();
    holder.rollback().await.unwrap();
    assert_eq!(getting.await.unwrap().unwrap().map(|job| job.id), Some(job.id));
}

#[tokio::test]
async fn a_read_while_the_server_is_down_is_unavailable() {
    let fixture = Fixture::new().await;
    let jobs = user(&fixture.through).await.jobs();

    let mut holder = fixture.straight.store().begin(Begin::Serializable).await.unwrap();
    holder.sql(Sql::portable(LOCK)).await.unwrap();
    let listing = tokio::spawn({
        let jobs = jobs.clone();
        async move { jobs.list(ListJobs::default()).await }
    });
    fixture.blocked().await;
    fixture.proxy.refuse(true).await.unwrap();
    fixture.proxy.cut();
    assert_eq!(*listing.await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    holder.rollback().await.unwrap();

    let create = || jobs.create(NewJob::new("Water the plants"));
    assert_eq!(*create().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(*fixture.through.health().await.unwrap_err().kind(), ErrorKind::Unavailable);
    fixture.proxy.refuse(false).await.unwrap();
    create().await.unwrap();
    fixture.through.health().await.unwrap();
}

#[tokio::test]
async fn a_transaction_whose_connection_is_cut_has_written_nothing() {
    let fixture = Fixture::new().await;
    let (mine, proxy) = (user(&fixture.through).await, &fixture.proxy);
    let result = mine
        .transaction(|tx| async move {
            let job = tx.jobs().create(NewJob::new("Water the plants")).await?;
            proxy.cut();
            tx.jobs().activate(job.id).await
        })
        .await;
    assert_eq!(*result.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(mine.jobs().list(ListJobs::default()).await.unwrap().items.is_empty());
}
