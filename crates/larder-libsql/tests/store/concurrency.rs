//! Many callers, and callers that go away.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use larder_core::{
    Assign, Begin, Claim, ErrorKind, Filter, Order, Outcome, SortDirection, Store, Unit, Update, Value, Verb,
};

use crate::common::{
    CONTENT, COUNT, Fixture, JARS, LABEL, SEALED, SHELVES, begun, conflict, count, count_of, done,
    dropped_after, endless, equals, find, get, id, insert, jar, key, shelf, text, with,
};

/// Holds the writer back until all of `calls` wait in its queue, so that they become one group.
macro_rules! together {
    ($store:expr, $calls:expr) => {{
        let holder = $store.begin(Begin::Serializable).await.expect("begin");
        let calls: Vec<_> = $calls.map(|call| begun(call)).collect();
        holder.rollback().await.expect("rollback");
        let mut results = Vec::new();
        for call in calls {
            results.push(call.await);
        }
        results
    }};
}

#[tokio::test]
async fn of_a_group_only_the_guilty_fail() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        // Every eighth takes the label of the one before it in the same group.
        let row = |number: u128| match number % 8 {
            0 => with(jar(number), LABEL, text(format!("jar {}", number - 1))),
            _ => jar(number),
        };
        let results = together!(store, (1..=64).map(|number| store.execute(insert(&JARS, [row(number)]))));
        for (number, result) in (1..).zip(results) {
            match result {
                Ok(_) => assert_ne!(number % 8, 0),
                Err(error) => {
                    assert_eq!(number % 8, 0, "{error}");
                    assert_eq!(*error.kind(), conflict("Jar", "user_id, label"));
                }
            }
            assert_eq!(find(store, &JARS, number).await.is_some(), number % 8 != 0);
        }
    }
}

#[tokio::test]
async fn a_member_that_fills_the_disk_takes_nobody_along() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        store.sql(larder_core::Sql::portable("PRAGMA max_page_count = 60")).await.expect("limit");
        let large = Value::Json(serde_json::Value::String("x".repeat(1 << 20)));
        let row = |number: u128| if number == 5 { with(jar(5), CONTENT, large.clone()) } else { jar(number) };
        let results = together!(store, (1..=10).map(|number| store.execute(insert(&JARS, [row(number)]))));
        for (number, result) in (1..).zip(results) {
            match result {
                Ok(_) => assert_ne!(number, 5),
                Err(error) => assert_eq!((number, error.kind()), (5, &ErrorKind::Full)),
            }
        }
        assert_eq!(count(store, &JARS).await, 9);
    }
}

#[tokio::test]
async fn claims_and_completions_that_arrive_together_share_a_commit() {
    let fixture = Fixture::file("").await;
    let store = &fixture.store;
    done(store, insert(&JARS, (1..=40).map(jar).collect::<Vec<_>>())).await;
    let claim = |limit| {
        Verb::Claim(Claim {
            table: &JARS,
            filter: equals(SEALED, Value::Bool(true)),
            order: vec![Order { column: 0, direction: SortDirection::Asc }],
            fair_by: None,
            limit,
            set: vec![(SEALED, Assign::Set(Value::Bool(false)))],
        })
    };
    let completion = |number| {
        Verb::Update(Update {
            table: &JARS,
            owner: None,
            key: Some(key(number)),
            filter: equals(SEALED, Value::Bool(false)),
            set: vec![(COUNT, Assign::Add(1))],
            returning: true,
        })
    };
    done(store, claim(8)).await;
    let log = fixture.directory.as_ref().expect("a file").path().join("test.db-wal");
    let size = || log.metadata().expect("the log").len();
    let before = size();
    let calls = (1..=8).flat_map(|number| [claim(2), completion(number)]);
    let results = together!(store, calls.map(|verb| store.execute(verb)));
    let mut claimed: Vec<_> = results.into_iter().flat_map(|result| rows(result.expect("done"))).collect();
    claimed.sort_by(|a, b| a.compare(b).expect("ids"));
    assert_eq!(claimed, (1..=24).map(id).collect::<Vec<_>>());
    // A commit writes each page that it changed once: sixteen commits would have written sixteen times.
    let pages = (size() - before) / 4096;
    assert!(pages < 16, "{pages} pages");
}

/// The ids of the rows.
fn rows(outcome: Outcome) -> Vec<Value> {
    let Outcome::Rows(rows) = outcome else { panic!("{outcome:?}") };
    rows.iter().map(|row| row.values()[0].clone()).collect()
}

/// A verb of one statement has no savepoint; what it wrote before it failed must go all the same.
#[tokio::test]
async fn a_member_that_fails_after_it_wrote_leaves_nothing() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        done(store, insert(&JARS, [jar(101), jar(102)])).await;
        // To SQLite this is a number, so that it is written; but it cannot be read.
        let damage = larder_core::Sql::portable("UPDATE jars SET content = '1e999'");
        store.sql(damage).await.expect("damage");
        let verb = |number: u128| match number {
            5 => Verb::Update(Update {
                table: &JARS,
                owner: None,
                key: Some(key(101)),
                filter: Filter::always(),
                set: vec![(COUNT, Assign::Set(Value::Int(77)))],
                returning: true,
            }),
            _ => insert(&SHELVES, [shelf(number + 1, &format!("{number}"), None)]),
        };
        let results = together!(store, (1..=10).map(|number| store.execute(verb(number))));
        for (number, result) in (1..).zip(results) {
            assert_eq!(result.is_err(), number == 5, "{result:?}");
        }
        assert_eq!(count(store, &SHELVES).await, 10);
        let changed = larder_core::Sql::portable("SELECT count(*) FROM jars WHERE count = 77");
        let changed = store.sql(changed.returning([larder_core::ColumnType::Int])).await.expect("count");
        assert_eq!(changed.rows[0].values(), [Value::Int(0)]);
    }
}

#[tokio::test]
async fn the_log_does_not_grow_without_end() {
    let fixture = Fixture::file("synchronous=off").await;
    let store = &fixture.store;
    let large = Value::Json(serde_json::Value::String("x".repeat(20_000)));
    for number in 1..=6000 {
        done(store, insert(&JARS, [with(jar(number), CONTENT, large.clone())])).await;
    }
    // Some 200 MB were written to it.
    let log = fixture.directory.as_ref().expect("a file").path().join("test.db-wal");
    let size = log.metadata().expect("the log").len();
    assert!(size < 140_000_000, "{size}");
}

#[tokio::test]
async fn a_unit_that_fails_in_the_middle_of_a_group_leaves_nothing() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        let unit = |number: u128| {
            let unit = Unit::default().then(insert(&JARS, [jar(number)]));
            if number.is_multiple_of(2) {
                unit.then_some(get(&JARS, 999), ErrorKind::NotFound { entity: "Jar".into() })
            } else {
                unit
            }
        };
        let results = together!(store, (1..=10).map(|number| store.run(unit(number))));
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 5);
        assert_eq!(count(store, &JARS).await, 5);
    }
}

#[tokio::test]
async fn reads_in_a_group_see_what_was_queued_before_them() {
    let fixture = Fixture::memory("").await;
    let store = &fixture.store;
    let verb =
        |number: u128| if number.is_multiple_of(2) { count_of(&JARS) } else { insert(&JARS, [jar(number)]) };
    let results = together!(store, (1..=10).map(|number| store.execute(verb(number))));
    let counted: Vec<_> = results.into_iter().map(|result| result.expect("done").rows()).collect();
    assert_eq!(counted, [1, 1, 1, 2, 1, 3, 1, 4, 1, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_increments_through_two_handles_are_all_counted() {
    let fixture = Fixture::file("").await;
    let stores = [Arc::new(fixture.again("").await), Arc::new(fixture.again("").await)];
    done(&fixture.store, insert(&JARS, [with(jar(1), COUNT, Value::Int(0))])).await;
    let increment = Update {
        table: &JARS,
        owner: None,
        key: Some(key(1)),
        filter: Filter::always(),
        set: vec![(COUNT, Assign::Add(1))],
        returning: false,
    };
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let (store, verb) = (Arc::clone(&stores[number % 2]), Verb::Update(increment.clone()));
            tokio::spawn(async move { store.execute(verb).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("task").expect("increment").rows(), 1);
    }
    let found = find(&fixture.store, &JARS, 1).await.expect("the row");
    assert_eq!(found.values()[COUNT], Value::Int(200));
}

#[tokio::test]
async fn a_read_that_begins_after_a_write_was_acknowledged_sees_it() {
    let fixture = Fixture::file("readers=4").await;
    for number in 1..=200 {
        done(&fixture.store, insert(&JARS, [jar(number)])).await;
        assert!(find(&fixture.store, &JARS, number).await.is_some());
    }
}

#[tokio::test]
async fn a_long_query_does_not_stop_the_timer_of_its_thread() {
    for fixture in Fixture::both("timeout=2s").await {
        let ticks = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&ticks);
        let timer = tokio::spawn(async move {
            let mut every_millisecond = tokio::time::interval(Duration::from_millis(1));
            loop {
                every_millisecond.tick().await;
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        let error = fixture.store.sql(endless()).await.expect_err("endless");
        timer.abort();
        assert_eq!(*error.kind(), ErrorKind::Timeout);
        let ticks = ticks.load(Ordering::Relaxed);
        assert!(ticks > 200, "{ticks} ticks in two seconds");
    }
}

#[tokio::test]
async fn a_read_whose_caller_has_gone_is_stopped() {
    // With one reader and a deadline far away, the next read gets its turn only if the first is stopped.
    let fixture = Fixture::file("readers=1&timeout=10m").await;
    let next = || larder_core::Sql::portable("SELECT 1").returning([larder_core::ColumnType::Int]);
    let abandoned = begun(fixture.store.sql(endless()));
    drop(abandoned);
    fixture.store.sql(next()).await.expect("its turn");
    let abandoned = dropped_after(2, async {
        let endless = fixture.store.sql(endless());
        tokio::pin!(endless);
        // Polled once, then given time to begin.
        tokio::select! { biased; _ = &mut endless => {}, () = tokio::time::sleep(Duration::from_millis(20)) => {} }
        endless.await.expect("never")
    });
    assert!(abandoned.await.is_none());
    fixture.store.sql(next()).await.expect("its turn");
}

#[tokio::test]
async fn a_full_queue_makes_callers_wait_and_then_busy() {
    let fixture = Fixture::file("queue=2&timeout=200ms").await;
    let store = &fixture.store;
    let holder = store.begin(Begin::Serializable).await.expect("begin");
    let waiting: Vec<_> = (1..=3).map(|number| begun(store.execute(insert(&JARS, [jar(number)])))).collect();
    for call in waiting {
        assert_eq!(*call.await.expect_err("busy").kind(), ErrorKind::Busy);
    }
    holder.rollback().await.expect("rollback");
    for number in 1..=10 {
        done(store, insert(&JARS, [jar(number)])).await;
    }
    assert_eq!(count(store, &JARS).await, 10);
}

/// Dropped after each number of polls: wholly written or not at all, and the store as usable as before.
#[tokio::test]
async fn a_call_can_be_dropped_at_every_await_point() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        for polls in 0.. {
            let first = 2 * polls as u128 + 1;
            let call = store.execute(insert(&JARS, [jar(first), jar(first + 1)]));
            let ended = dropped_after(polls, call).await;
            // A write of the same rows tells whether they are there, after whatever the dropped one did.
            let again = store.execute(insert(&JARS, [jar(first), jar(first + 1)])).await;
            if ended.is_some() {
                assert_eq!(*again.expect_err("written").kind(), conflict("Jar", "id"));
                break;
            }
            assert_eq!(count(store, &JARS).await, 2 * (polls as u64 + 1));
        }
    }
}

#[tokio::test]
async fn a_transaction_can_be_dropped_at_every_await_point() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        let whole = async |number: u128, commit: bool| {
            let mut transaction = store.begin(Begin::Serializable).await.expect("begin");
            transaction.execute(insert(&JARS, [jar(number)])).await.expect("insert");
            transaction.sql(larder_core::Sql::portable("UPDATE jars SET count = 4")).await.expect("update");
            transaction
                .execute(insert(&SHELVES, [shelf(number + 1, &format!("{number}"), None)]))
                .await
                .expect("insert");
            if commit {
                transaction.commit().await.expect("commit");
            } else {
                transaction.rollback().await.expect("rollback");
            }
        };
        for commit in [false, true] {
            for polls in 0.. {
                let number = 1000 * u128::from(commit) + polls as u128 + 1;
                let ended = dropped_after(polls, whole(number, commit)).await;
                // The writer is free again, and what it did is whole.
                done(store, insert(&crate::common::LIDS, [vec![crate::common::id(number + 1)]])).await;
                let written = (
                    find(store, &JARS, number).await.is_some(),
                    find(store, &SHELVES, number + 1).await.is_some(),
                );
                assert_eq!(written.0, written.1);
                assert!(commit || !written.0);
                if ended.is_some() {
                    assert_eq!(written.0, commit);
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn opening_and_closing_can_be_dropped_at_every_await_point() {
    let fixture = Fixture::file("").await;
    let url = crate::common::url(fixture.directory.as_ref().expect("a file").path());
    for polls in 0.. {
        let opened = dropped_after(polls, crate::common::open(&url)).await;
        let Some(opened) = opened else { continue };
        let store = opened.expect("open");
        // The threads may have ended before it was polled once.
        if let Some(closed) = dropped_after(1, store.close()).await {
            closed.expect("close");
        }
        store.close().await.expect("close");
        break;
    }
    done(&fixture.store, insert(&JARS, [jar(1)])).await;
}

#[tokio::test]
async fn close_finishes_what_was_accepted() {
    let fixture = Fixture::file("").await;
    let calls: Vec<_> =
        (1..=64).map(|number| begun(fixture.store.execute(insert(&JARS, [jar(number)])))).collect();
    fixture.store.close().await.expect("close");
    for call in calls {
        assert_eq!(call.await.expect("accepted").rows(), 1);
    }
    let directory = fixture.directory.as_ref().expect("a file").path();
    assert!(!directory.join("test.db-wal").exists(), "the log was moved into the file");
    assert_eq!(count(&fixture.again("").await, &JARS).await, 64);
}

#[tokio::test]
async fn close_waits_for_an_open_transaction_up_to_the_deadline() {
    let fixture = Fixture::file("timeout=200ms").await;
    let mut transaction = fixture.store.begin(Begin::Serializable).await.expect("begin");
    assert_eq!(*fixture.store.close().await.expect_err("open").kind(), ErrorKind::Timeout);
    transaction.execute(insert(&JARS, [jar(1)])).await.expect("insert");
    transaction.commit().await.expect("commit");
    fixture.store.close().await.expect("close");
    assert_eq!(count(&fixture.again("").await, &JARS).await, 1);
}
