//! The primary is gone, hangs, or comes back as another.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use larder_core::{ErrorKind, Store};
use larder_testing::poll_until;

use crate::common::{Primary, SOON, count, insert, local, number, refusal, report, until_count, value};

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_on_without_the_primary_and_it_is_followed_again() {
    let primary = Primary::start().await;
    let replica = primary.replica("edge.db", "&sync=100ms&wait=500ms").await;
    insert(&replica, 1, 10).await.expect("written");
    assert_eq!(count(&replica).await.expect("read"), 1);
    primary.server.stop().await.expect("stopped");

    assert_eq!(value(&replica, 1).await.expect("a fresh read: nothing is outstanding"), Some(10));
    assert_eq!(value(&*local(&replica), 1).await.expect("a local read"), Some(10));
    let begun = Instant::now();
    assert_eq!(*refusal(insert(&replica, 2, 20).await).kind(), ErrorKind::Unavailable);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(value(&replica, 2).await.expect("nothing was written, and nothing is waited for"), None);
    let kind = async || report(&replica).await.failing.map(|failing| failing.error.kind().clone());
    let kind = poll_until(SOON, "the failure to be reported", kind).await.expect("reported");
    assert_eq!(kind, ErrorKind::Unavailable);

    primary.server.restart().await.expect("restarted");
    primary.write("INSERT INTO counters VALUES (3, 30)").await;
    until_count(&replica, 2).await;
    // What a sync brings is seen before the sync is over.
    let follows = async || report(&replica).await.failing.is_none().then_some(());
    poll_until(SOON, "the failure to be over", follows).await.expect("over");
}

/// A primary that is killed begins another log, whose numbers are small again.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_was_killed_is_followed_from_the_beginning() {
    let primary = Primary::start().await;
    let replica = primary.replica("edge.db", "&sync=1h").await;
    let mut written = 0;
    for round in 0..3 {
        for _ in 0..40 {
            insert(&replica, written, written).await.expect("written");
            written += 1;
        }
        assert_eq!(count(&replica).await.expect("read"), written as u64);
        let before = report(&replica).await.reached;
        primary.server.kill().await.expect("killed");
        assert_eq!(count(&*local(&replica)).await.expect("read"), written as u64);
        primary.server.restart().await.expect("restarted");
        insert(&replica, written, written).await.expect("written");
        written += 1;
        assert_eq!(count(&replica).await.expect("a fresh read"), written as u64, "round {round}");
        assert!(report(&replica).await.reached < before, "it counts anew");
    }
    replica.close().await.expect("closed");
    let replica = primary.replica("edge.db", "").await;
    assert_eq!(count(&replica).await.expect("read"), written as u64);
}

/// Killed while it is written to and its log is fetched.
#[tokio::test(flavor = "multi_thread")]
async fn kills_in_the_middle_leave_the_replica_whole() {
    const ROUNDS: usize = 10;
    let primary = Primary::start().await;
    let replica = primary.replica("edge.db", "&sync=100ms&wait=20s").await;
    let (acknowledged, id) = (Mutex::new(Vec::new()), AtomicI64::new(0));
    let stop = AtomicBool::new(false);
    let write = async || {
        while !stop.load(Ordering::Relaxed) {
            let id = id.fetch_add(1, Ordering::Relaxed);
            if insert(&replica, id, id).await.is_ok() {
                acknowledged.lock().expect("ids").push(id);
                assert_eq!(value(&replica, id).await.expect("a fresh read"), Some(id));
            } else {
                tokio::task::yield_now().await;
            }
        }
    };
    let kill = async {
        for round in 0..ROUNDS {
            let so_far = acknowledged.lock().expect("ids").len();
            let goes_on =
                async || (acknowledged.lock().expect("ids").len() > so_far + 20 * round).then_some(());
            poll_until(SOON, "writes", goes_on).await.expect("written");
            primary.server.kill().await.expect("killed");
            primary.server.restart().await.expect("restarted");
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(write(), write(), write(), write(), kill);
    for id in acknowledged.into_inner().expect("ids") {
        assert_eq!(value(&replica, id).await.expect("read"), Some(id));
    }
    let found = count(&replica).await.expect("read");
    assert_eq!(count(&primary.remote()).await.expect("read"), found);
    let broken = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'";
    assert_eq!(number(&replica, broken).await.expect("checked"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_hangs_delays_fresh_reads_no_longer_than_asked() {
    let primary = Primary::start().await;
    let replica = primary.replica("edge.db", "&sync=1h&wait=300ms&timeout=700ms").await;
    insert(&replica, 1, 10).await.expect("written");
    assert_eq!(count(&replica).await.expect("read"), 1);
    primary.server.freeze().await.expect("frozen");
    let unknown = refusal(insert(&replica, 2, 20).await);
    assert!(matches!(unknown.kind(), ErrorKind::Timeout | ErrorKind::Ambiguous), "{unknown}");
    // It may have been written: to read without it would be a lie.
    let begun = Instant::now();
    let late = refusal(value(&replica, 2).await);
    assert_eq!(*late.kind(), ErrorKind::Timeout);
    assert!(late.context().contains("Local"), "{late}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(value(&*local(&replica), 1).await.expect("a local read"), Some(10));

    primary.server.resume().await.expect("goes on");
    poll_until(SOON, "fresh reads", async || value(&replica, 1).await.ok()).await.expect("answered");
    let begun = Instant::now();
    primary.server.freeze().await.expect("frozen");
    replica.close().await.expect("closed, although the primary hangs");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    primary.server.resume().await.expect("goes on");
}
