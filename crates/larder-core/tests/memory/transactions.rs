//! Units, transactions, and who waits for whom.

use std::time::Duration;

use larder_core::{
    Assign, Begin, ErrorKind, Filter, Get, MemoryStore, Outcome, Require, Sql, Step, Store, Transaction,
    Unit, Update, Value, Verb,
};
use tokio::{task::JoinSet, time::Instant};

use crate::tables::*;

async fn begin(store: &MemoryStore) -> Box<dyn Transaction> {
    store.begin(Begin::Serializable).await.unwrap()
}

async fn users(store: &MemoryStore) -> u64 {
    store.execute(count(&USERS)).await.unwrap().rows()
}

fn renaming(n: u128, name: &str) -> Verb {
    Verb::Update(change(&USERS, n, vec![(2, Assign::Set(text(name)))]))
}

#[tokio::test]
async fn the_steps_of_a_unit_see_each_other() {
    let store = with_users().await;
    let unit = Unit::default()
        .then(insertion(&JOBS, vec![job(1, 1)]))
        .then(insertion(&MESSAGES, vec![message(2, 1, 1)]))
        .then_some(get(&MESSAGES, 2), ErrorKind::Busy)
        .then(count(&JOBS));
    let outcomes = store.run(unit).await.unwrap();
    assert_eq!(outcomes.iter().map(Outcome::rows).collect::<Vec<_>>(), [1, 1, 1, 1]);
    assert_eq!(store.run(Unit::default()).await.unwrap(), []);
}

#[tokio::test]
async fn a_unit_is_all_or_nothing() {
    let store = with_users().await;
    let before = contents(&store).await;
    let some =
        || Unit::default().then(insertion(&JOBS, vec![job(1, 1)])).then(Verb::Delete(removal(&USERS, 1)));
    assert_eq!(kind(store.run(some().then(insertion(&USERS, vec![user(2)]))).await), conflict("User", "id"));
    let lost = || ErrorKind::LeaseLost { entity: "Job".into() };
    assert_eq!(kind(store.run(some().then_some(renaming(1, "x"), lost())).await), lost());
    let mut unit = some();
    unit.steps.push(Step { verb: count(&USERS), require: Require::NoRow { otherwise: ErrorKind::Busy } });
    assert_eq!(kind(store.run(unit).await), ErrorKind::Busy);
    assert_eq!(contents(&store).await, before);
    store.run(some()).await.unwrap();
    assert_eq!((users(&store).await, store.execute(count(&JOBS)).await.unwrap()), (1, Outcome::Count(0)));
}

#[tokio::test]
async fn a_unit_of_reads_waits_for_nobody_and_still_has_requirements() {
    let store = with_users().await;
    let _transaction = begin(&store).await;
    let found = Unit::default().then_some(get(&USERS, 1), ErrorKind::Busy);
    assert_eq!(store.run(found).await.unwrap().len(), 1);
    let missing = ErrorKind::NotFound { entity: "User".into() };
    let unit = Unit::default().then_some(get(&USERS, 9), missing.clone());
    assert_eq!(kind(store.run(unit).await), missing);
}

#[tokio::test]
async fn own_writes_are_seen_inside_and_outside_only_after_the_commit() {
    let store = with_users().await;
    let mut transaction = begin(&store).await;
    transaction.execute(insertion(&USERS, vec![user(3)])).await.unwrap();
    transaction.execute(renaming(1, "inside")).await.unwrap();
    let outside = contents(&store).await;
    assert_eq!(transaction.execute(count(&USERS)).await.unwrap(), Outcome::Count(3));
    assert_eq!((users(&store).await, outside[0][0].get(2)), (2, Some(&Value::Null)));
    transaction.commit().await.unwrap();
    assert_eq!((users(&store).await, contents(&store).await[0][0].get(2)), (3, Some(&text("inside"))));
}

#[tokio::test]
async fn rollback_and_drop_undo_everything_and_let_the_next_go_on() {
    let store = with_users().await;
    let before = contents(&store).await;
    for drop_it in [true, false] {
        let mut transaction = begin(&store).await;
        transaction.execute(Verb::Delete(removal(&USERS, 1))).await.unwrap();
        if drop_it {
            drop(transaction);
        } else {
            transaction.rollback().await.unwrap();
        }
        assert_eq!(contents(&store).await, before);
    }
    insert(&store, &USERS, vec![user(3)]).await.unwrap();
}

#[tokio::test]
async fn a_panic_rolls_back() {
    let store = with_users().await;
    let task = tokio::spawn({
        let store = store.clone();
        async move {
            let mut transaction = begin(&store).await;
            transaction.execute(insertion(&USERS, vec![user(3)])).await.unwrap();
            panic!("in the middle of a transaction");
        }
    });
    assert!(task.await.unwrap_err().is_panic());
    insert(&store, &USERS, vec![user(4)]).await.unwrap();
    assert_eq!(ids(&select(&store, everything(&USERS)).await), [1, 2, 4]);
}

#[tokio::test]
async fn a_conflict_leaves_a_transaction_usable_and_writes_nothing() {
    let store = with_users().await;
    let mut transaction = begin(&store).await;
    transaction.execute(insertion(&USERS, vec![user(3)])).await.unwrap();
    let twice = insertion(&USERS, vec![user(4), user(1)]);
    assert_eq!(kind(transaction.execute(twice).await), conflict("User", "id"));
    transaction.execute(insertion(&USERS, vec![user(5)])).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(ids(&select(&store, everything(&USERS)).await), [1, 2, 3, 5]);
}

#[tokio::test]
async fn any_other_error_aborts_a_transaction() {
    let store = with_users().await;
    for sql in [true, false] {
        let mut transaction = begin(&store).await;
        transaction.execute(insertion(&USERS, vec![user(3)])).await.unwrap();
        if sql {
            let error = transaction.sql(Sql::portable("SELECT 1")).await;
            assert_eq!(kind(error), ErrorKind::Unsupported);
        } else {
            let error = transaction.execute(insertion(&JOBS, vec![job(1, 9)])).await;
            assert_eq!(kind(error), missing_parent("Job", "User"));
        }
        assert_eq!(kind(transaction.execute(count(&USERS)).await), ErrorKind::TransactionAborted);
        assert_eq!(kind(transaction.commit().await), ErrorKind::TransactionAborted);
        assert_eq!(users(&store).await, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_transaction_gives_up_at_the_deadline() {
    let store = with_users().await.with_timeout(Duration::from_secs(5));
    for kind_of in [Begin::Serializable, Begin::Schema] {
        let transaction = store.begin(kind_of).await.unwrap();
        let begun = Instant::now();
        assert_eq!(kind(insert(&store, &USERS, vec![user(3)]).await), ErrorKind::Busy);
        assert_eq!(begun.elapsed().as_secs(), 5);
        assert_eq!(kind(store.begin(Begin::Serializable).await), ErrorKind::Busy);
        assert_eq!(kind(store.run(Unit::default().then(renaming(1, "x"))).await), ErrorKind::Busy);
        assert_eq!(begun.elapsed().as_secs(), 15);
        assert_eq!(users(&store).await, 2, "reads go on");
        transaction.rollback().await.unwrap();
    }
    insert(&store, &USERS, vec![user(3)]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_thirty_seconds_unless_said_otherwise() {
    let store = with_users().await;
    let _transaction = begin(&store).await;
    let begun = Instant::now();
    assert_eq!(kind(insert(&store, &USERS, vec![user(3)]).await), ErrorKind::Busy);
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn who_waits_goes_on_when_the_transaction_ends() {
    let store = with_users().await;
    let transaction = begin(&store).await;
    let mut waiting = JoinSet::new();
    for n in 3..=12 {
        let store = store.clone();
        waiting.spawn(async move { insert(&store, &USERS, vec![user(n)]).await });
    }
    tokio::task::yield_now().await;
    assert_eq!(users(&store).await, 2);
    transaction.commit().await.unwrap();
    assert!(waiting.join_all().await.into_iter().all(|result| result.is_ok()));
    assert_eq!(users(&store).await, 12);
}

#[tokio::test]
async fn a_dropped_waiter_wrote_nothing_and_holds_nobody_up() {
    let store = with_users().await;
    let transaction = begin(&store).await;
    let waiting = tokio::time::timeout(Duration::ZERO, insert(&store, &USERS, vec![user(3)])).await;
    assert!(waiting.is_err());
    drop(transaction);
    insert(&store, &USERS, vec![user(4)]).await.unwrap();
    assert_eq!(ids(&select(&store, everything(&USERS)).await), [1, 2, 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_increments_are_all_counted() {
    let store = with_users().await;
    insert(&store, &JOBS, vec![job(1, 1)]).await.unwrap();
    let mut tasks = JoinSet::new();
    for n in 0..100 {
        let store = store.clone();
        tasks.spawn(async move {
            if n % 2 == 0 {
                let add = Verb::Update(change(&JOBS, 1, vec![(RUNS, Assign::Add(1))]));
                store.execute(add).await.unwrap();
            } else {
                increment_by_reading(&store).await;
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(runs(store.execute(get(&JOBS, 1)).await.unwrap()), 100);
}

/// Reads and decides in between: right only when transactions happen one after the other.
async fn increment_by_reading(store: &MemoryStore) {
    let mut transaction = begin(store).await;
    let verb = Verb::Get(Get { table: &JOBS, owner: Some(uuid(1)), key: primary(1) });
    let runs = runs(transaction.execute(verb).await.unwrap());
    tokio::task::yield_now().await;
    let set = vec![(RUNS, Assign::Set(Value::Int(runs + 1)))];
    let update = Update { filter: Filter::always(), ..change(&JOBS, 1, set) };
    transaction.execute(Verb::Update(update)).await.unwrap();
    transaction.commit().await.unwrap();
}

fn runs(outcome: Outcome) -> i64 {
    match outcome {
        Outcome::Row(Some(row)) => match row.get(RUNS) {
            Some(Value::Int(runs)) => *runs,
            other => panic!("an integer, not {other:?}"),
        },
        other => panic!("a row, not {other:?}"),
    }
}
