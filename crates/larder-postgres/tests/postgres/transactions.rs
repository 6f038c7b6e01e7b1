//! Transactions on a real server.

use crate::common::*;
use larder_core::{
    Assign, Begin, Capability, ErrorKind, Filter, Outcome, Sql, Store, Transaction, Value, Verb,
};

async fn begin(store: &dyn Store) -> Box<dyn Transaction> {
    store.begin(Begin::Serializable).await.unwrap()
}

fn is_conflict(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Conflict { .. })
}

#[tokio::test]
async fn own_writes_are_seen_inside_and_not_outside() {
    let (_fixture, store) = with_users().await;
    assert!(Capability::ALL.iter().all(|capability| store.supports(*capability)));
    let mut transaction = begin(&*store).await;
    transaction.execute(insert(&JOBS, vec![job(1, 1)])).await.unwrap();
    assert_eq!(transaction.execute(get(1)).await.unwrap(), Outcome::Row(Some(visible(&job(1, 1)))));
    assert_eq!(row(&*store, get(1)).await, None);
    transaction.commit().await.unwrap();
    assert!(row(&*store, get(1)).await.is_some());
}

#[tokio::test]
async fn rolled_back_or_dropped_nothing_is_there() {
    let fixture = Fixture::new().await;
    // With one connection each transaction finds it as the one before has left it.
    let store = fixture.store("pool_size=1").await;
    store.execute(insert(&USERS, vec![user(1, None)])).await.unwrap();
    let mut transaction = begin(&*store).await;
    transaction.execute(insert(&JOBS, vec![job(1, 1)])).await.unwrap();
    transaction.rollback().await.unwrap();
    let mut transaction = begin(&*store).await;
    transaction.execute(insert(&JOBS, vec![job(1, 1)])).await.unwrap();
    drop(transaction);
    assert_eq!(number(&*store, count(&JOBS)).await, 0);
    let mut transaction = begin(&*store).await;
    transaction.sql(Sql::portable("DELETE FROM users")).await.unwrap();
    drop(transaction);
    assert_eq!(number(&*store, count(&USERS)).await, 1);
}

#[tokio::test]
async fn a_conflict_does_not_abort() {
    let (_fixture, store) = with_users().await;
    store.execute(insert(&JOBS, vec![job(1, 1), job(1, 2)])).await.unwrap();
    let mut transaction = begin(&*store).await;
    let mut conflict = async |verb| kind(transaction.execute(verb).await);
    assert_eq!(
        conflict(insert(&JOBS, vec![job(1, 1)])).await,
        larder_core::Error::conflict("Job", "id").kind().clone()
    );
    let same_name = with(job(1, 3), NAME, text("job 1"));
    let by_name = larder_core::Error::conflict("Job", "user_id, name").kind().clone();
    assert_eq!(conflict(insert(&JOBS, vec![same_name.clone()])).await, by_name);
    assert_eq!(conflict(insert(&JOBS, vec![job(1, 4), same_name.clone()])).await, by_name);
    assert_eq!(conflict(rename(2, "job 1")).await, by_name);
    assert_eq!(conflict(upsert(same_name, vec![(TOKENS, Assign::Add(1))])).await, by_name);
    assert!(is_conflict(&conflict(upsert(job(2, 1), vec![(TOKENS, Assign::Add(1))])).await));
    transaction.execute(rename(2, "goes on")).await.unwrap();
    transaction.execute(insert(&JOBS, vec![job(1, 5), job(1, 6)])).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(number(&*store, count(&JOBS)).await, 4);
    assert_eq!(row(&*store, get(2)).await.unwrap().get(NAME), Some(&text("goes on")));
}

#[tokio::test]
async fn any_other_error_aborts() {
    let (_fixture, store) = with_users().await;
    let mut transaction = begin(&*store).await;
    transaction.execute(insert(&JOBS, vec![job(1, 1)])).await.unwrap();
    let orphan = transaction.execute(insert(&JOBS, vec![job(9, 9)])).await;
    assert!(matches!(kind(orphan), ErrorKind::MissingParent { .. }));
    assert_eq!(kind(transaction.execute(get(1)).await), ErrorKind::TransactionAborted);
    // PostgreSQL would answer COMMIT with ROLLBACK and no error.
    assert_eq!(kind(transaction.commit().await), ErrorKind::TransactionAborted);
    assert_eq!(number(&*store, count(&JOBS)).await, 0);
}

#[tokio::test]
async fn a_refused_value_aborts_too() {
    let (_fixture, store) = with_users().await;
    let mut transaction = begin(&*store).await;
    transaction.execute(insert(&JOBS, vec![job(1, 1)])).await.unwrap();
    let refused = transaction.execute(insert(&JOBS, vec![with(job(1, 2), NAME, text("\0"))])).await;
    assert!(matches!(kind(refused), ErrorKind::Invalid { .. }));
    assert_eq!(kind(transaction.commit().await), ErrorKind::TransactionAborted);
    assert_eq!(number(&*store, count(&JOBS)).await, 0);
}

/// Write skew: each reads what the other changes.
#[tokio::test]
async fn isolation_is_serializable() {
    let (_fixture, store) = with_users().await;
    store.execute(insert(&JOBS, vec![job(1, 1), job(1, 2)])).await.unwrap();
    let (mut one, mut two) = (begin(&*store).await, begin(&*store).await);
    let read = || Verb::Select(select(Filter::always(), vec![]));
    one.execute(read()).await.unwrap();
    two.execute(read()).await.unwrap();
    one.execute(rename(1, "one")).await.unwrap();
    two.execute(rename(2, "two")).await.unwrap();
    one.commit().await.unwrap();
    let error = two.commit().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (&ErrorKind::Contention, true));
}

#[tokio::test]
async fn a_lost_update_is_contention() {
    let (_fixture, store) = with_users().await;
    store.execute(insert(&JOBS, vec![job(1, 1)])).await.unwrap();
    let (mut one, mut two) = (begin(&*store).await, begin(&*store).await);
    one.execute(get(1)).await.unwrap();
    two.execute(get(1)).await.unwrap();
    one.execute(rename(1, "one")).await.unwrap();
    one.commit().await.unwrap();
    assert_eq!(kind(two.execute(rename(1, "two")).await), ErrorKind::Contention);
    two.rollback().await.unwrap();
    assert_eq!(row(&*store, get(1)).await.unwrap().get(NAME), Some(&text("one")));
}

/// A key that was taken after the snapshot is contention, so that a second attempt sees it; never a silent loss.
#[tokio::test]
async fn a_key_taken_meanwhile() {
    let (_fixture, store) = with_users().await;
    let mut transaction = begin(&*store).await;
    transaction.execute(count(&JOBS)).await.unwrap();
    store.execute(insert(&JOBS, vec![job(1, 1)])).await.unwrap();
    assert_eq!(kind(transaction.execute(insert(&JOBS, vec![job(1, 1)])).await), ErrorKind::Contention);
}

#[tokio::test]
async fn schema_transactions_come_one_after_the_other() {
    let (fixture, store) = with_users().await;
    let other = fixture.store("").await;
    let mut first = store.begin(Begin::Schema).await.unwrap();
    first.sql(Sql::portable("CREATE TABLE ledger (n bigint); INSERT INTO ledger VALUES (1)")).await.unwrap();
    let second = tokio::spawn(async move {
        let mut second = other.begin(Begin::Schema).await.unwrap();
        let seen = Sql::portable("SELECT count(*) FROM ledger").returning([larder_core::ColumnType::Int]);
        let seen = second.sql(seen).await.unwrap();
        second.commit().await.unwrap();
        seen.rows[0].values().to_vec()
    });
    // The second has looked at the lock and waits.
    let backends = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%advisory%'";
    let backends = || Sql::portable(backends).returning([larder_core::ColumnType::Int]);
    while store.sql(backends()).await.unwrap().rows[0].values() != [Value::Int(2)] {
        tokio::task::yield_now().await;
    }
    assert!(!second.is_finished());
    first.commit().await.unwrap();
    assert_eq!(second.await.unwrap(), [Value::Int(1)]);
}

#[tokio::test]
async fn closing_ends_what_is_open() {
    let (_fixture, store) = with_users().await;
    let mut transaction = begin(&*store).await;
    transaction.execute(insert(&JOBS, vec![job(1, 1)])).await.unwrap();
    store.close().await.unwrap();
    store.close().await.unwrap();
    assert_eq!(kind(transaction.execute(get(1)).await), ErrorKind::Closed);
    assert_eq!(kind(transaction.commit().await), ErrorKind::Closed);
    assert_eq!(kind(store.execute(get(1)).await), ErrorKind::Closed);
    assert_eq!(kind(store.health().await), ErrorKind::Closed);
    assert!(
        matches!(store.begin(Begin::Serializable).await.map(drop), Err(error) if *error.kind() == ErrorKind::Closed)
    );
    let reopened = _fixture.store("").await;
    assert_eq!(number(&*reopened, count(&JOBS)).await, 0);
}
