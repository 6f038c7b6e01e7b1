//! Reads on the thread of their caller.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use larder_core::{Count, ErrorKind, Filter, Outcome, Store, Unit, Verb};

use crate::common::{Fixture, JARS, LABEL, begun, count, count_of, done, endless, find, get, insert, jar};

/// The answer of a call that does not wait for anything.
fn at_once<T>(call: impl Future<Output = T>) -> T {
    let mut call = std::pin::pin!(call);
    match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

/// A store with one connection for callers in place and one reader thread, and many jars.
async fn many_jars() -> Fixture {
    let fixture = Fixture::file("readers=1").await;
    done(&fixture.store, insert(&JARS, (1..=MANY).map(jar).collect::<Vec<_>>())).await;
    fixture
}

const MANY: u128 = 2000;

/// A count of all jars that takes a million comparisons.
fn slow_count() -> Verb {
    let text = |number: u32| format!("not jar {number}");
    let mut any: Vec<_> =
        (0..500).map(|number| Filter::Contains { column: LABEL, text: text(number) }).collect();
    any.push(Filter::Contains { column: LABEL, text: "jar".to_owned() });
    Verb::Count(Count { table: &JARS, owner: None, filter: Filter::Any(any) })
}

/// Counts milliseconds on the runtime's own thread while the call runs.
async fn ticks_during<T>(call: impl Future<Output = T>) -> (T, u32, Duration) {
    let ticks = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&ticks);
    let timer = tokio::spawn(async move {
        let mut every_millisecond = tokio::time::interval(Duration::from_millis(1));
        loop {
            every_millisecond.tick().await;
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    let begun = Instant::now();
    let answer = call.await;
    timer.abort();
    (answer, ticks.load(Ordering::Relaxed), begun.elapsed())
}

#[tokio::test]
async fn short_reads_are_answered_at_once() {
    let fixture = many_jars().await;
    let store = &fixture.store;
    assert!(matches!(at_once(store.execute(get(&JARS, 7))).expect("get"), Outcome::Row(Some(_))));
    let unit = Unit::default().then(get(&JARS, 7)).then(get(&JARS, 8));
    assert_eq!(at_once(store.run(unit)).expect("unit").len(), 2);
    // Also while the reader thread is busy.
    let busy = begun(store.sql(endless()));
    assert!(matches!(at_once(store.execute(get(&JARS, 7))).expect("get"), Outcome::Row(Some(_))));
    drop(busy);
}

#[tokio::test]
async fn a_long_read_goes_on_on_a_thread() {
    let fixture = many_jars().await;
    let store = &fixture.store;
    let (answer, ticks, took) = ticks_during(store.execute(slow_count())).await;
    assert_eq!(answer.expect("count"), Outcome::Count(MANY as u64));
    assert!(u128::from(ticks) > took.as_millis() / 4, "{ticks} ticks in {took:?}");

    let unit = Unit::default().then(get(&JARS, 1)).then(slow_count());
    let (answers, ticks, took) = ticks_during(store.run(unit)).await;
    assert_eq!(answers.expect("unit")[1], Outcome::Count(MANY as u64));
    assert!(u128::from(ticks) > took.as_millis() / 4, "{ticks} ticks in {took:?}");
}

#[tokio::test]
async fn a_read_that_was_stopped_leaves_no_snapshot() {
    let fixture = many_jars().await;
    let store = &fixture.store;
    for number in MANY + 1..MANY + 4 {
        let unit = Unit::default().then(get(&JARS, number)).then(slow_count());
        store.run(unit).await.expect("unit");
        done(store, insert(&JARS, [jar(number)])).await;
        assert!(matches!(at_once(store.execute(get(&JARS, number))).expect("get"), Outcome::Row(Some(_))));
    }
    assert_eq!(count(store, &JARS).await, MANY as u64 + 3);
}

#[tokio::test]
async fn a_long_read_ends_at_its_deadline() {
    let fixture = many_jars().await;
    let hasty = fixture.again("readers=1&timeout=300ms").await;
    let many = (0..40).fold(Unit::default(), |unit, _| unit.then(slow_count()));
    let error = hasty.run(many).await.expect_err("too long");
    assert_eq!(*error.kind(), ErrorKind::Timeout);
    assert!(find(&hasty, &JARS, 1).await.is_some());
}

#[tokio::test]
async fn one_that_reads_on_and_on_lets_others_have_their_turn() {
    let fixture = Fixture::file("").await;
    let other = tokio::spawn(async {});
    let mut reads = 0;
    while !other.is_finished() {
        count(&fixture.store, &JARS).await;
        reads += 1;
        assert!(reads < 100_000, "the other task never ran");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closing_while_callers_read() {
    for _ in 0..20 {
        let fixture = Fixture::file("readers=2").await;
        let store = Arc::new(fixture.store);
        let read = Arc::new(AtomicU32::new(0));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (store, read) = (Arc::clone(&store), Arc::clone(&read));
                tokio::spawn(async move {
                    loop {
                        match store.execute(count_of(&JARS)).await {
                            Ok(_) => read.fetch_add(1, Ordering::Relaxed),
                            Err(error) => return error,
                        };
                    }
                })
            })
            .collect();
        while read.load(Ordering::Relaxed) < 100 {
            tokio::task::yield_now().await;
        }
        store.close().await.expect("close");
        for reader in readers {
            assert_eq!(*reader.await.expect("task").kind(), ErrorKind::Closed);
        }
        let directory = fixture.directory.expect("a file");
        assert!(!directory.path().join("test.db-wal").exists(), "the log was moved into the file");
    }
}
