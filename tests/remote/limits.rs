//! What a server does not take, and does not wait for.

use std::time::Duration;

use larder::{Begin, ErrorKind, Filter, model::NewJob, prelude::UserModel as _};
use larder::{Insert, Verb};

use crate::way::Way;

#[tokio::test]
async fn a_value_past_the_servers_limit_is_too_large_and_not_written() {
    let way = Way::lay("").await;
    let [mine, observed] = way.user().await;
    let (_, mut creation) = mine.jobs().creation(NewJob::new("large")).unwrap();
    let Verb::Insert(Insert { table, rows }) = &mut creation else { panic!("no insert: {creation:?}") };
    let context = table.position("definition").unwrap();
    rows[0][context] = larder::Value::Text("x".repeat(6_000_000));
    let refused = mine.context().execute(creation).await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::TooLarge, "{refused:?}");
    assert_eq!(observed.jobs().count(Filter::always()).await.unwrap(), 0);
}

/// The limit of the server is 5 s, after which another writer takes the lock.
#[tokio::test]
async fn a_transaction_that_is_open_too_long_says_so_and_lets_others_write() {
    let way = Way::lay("").await;
    let [mine, observed] = way.user().await;
    let mut open = way.larder.store().begin(Begin::Serializable).await.unwrap();
    let (_, creation) = mine.jobs().creation(NewJob::new("never")).unwrap();
    open.execute(creation.clone()).await.unwrap();
    // By the same handle, which has one lane: it waits until the transaction is given up.
    mine.jobs().create(NewJob::new("afterwards")).await.unwrap();
    let refused = open.execute(creation).await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::TransactionAborted);
    assert!(refused.context().contains("4 s"), "{refused}");
    let refused = open.commit().await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::TransactionAborted);
    let jobs = observed.jobs().select(Filter::always(), Vec::new(), None).await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.definition.as_str()).collect::<Vec<_>>(), ["afterwards"]);
}

/// A handle that is not ours, and keeps its transaction for longer than the server lets it.
#[tokio::test]
async fn a_transaction_that_is_stolen_by_another_handle_has_written_nothing() {
    let way = Way::lay("").await;
    let [mine, observed] = way.user().await;
    let mut schema = way.larder.store().begin(Begin::Schema).await.unwrap();
    let (_, creation) = mine.jobs().creation(NewJob::new("stolen")).unwrap();
    schema.execute(creation.clone()).await.unwrap();
    // Takes the lock after 5 s, which only a change of the schema may hold for so long.
    let jobs = observed.jobs();
    let written = tokio::time::timeout(Duration::from_secs(20), jobs.create(NewJob::new("a thief")));
    written.await.unwrap().unwrap();
    let lost = match schema.execute(creation).await {
        Err(lost) => lost,
        Ok(_) => schema.commit().await.unwrap_err(),
    };
    let is_told = matches!(lost.kind(), ErrorKind::Contention | ErrorKind::TransactionAborted);
    assert!(is_told, "{lost:?}");
    assert_eq!(observed.jobs().count(Filter::always()).await.unwrap(), 1);
}
