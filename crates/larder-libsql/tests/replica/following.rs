//! What a replica shows, and when.

use std::{
    fs::metadata,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use larder_core::{Begin, Sql, Store, Unit, Verb};

use crate::common::{COUNTERS, Primary, count, insert, local, number, report, until_count, value};

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_read_sees_every_write_before_it() {
    let primary = Primary::start().await;
    let replica = primary.replica("edge.db", "&sync=1h").await;
    for id in 0..1000 {
        insert(&replica, id, id * 2).await.expect("written");
        assert_eq!(value(&replica, id).await.expect("read"), Some(id * 2), "write {id}");
    }
    let report = report(&replica).await;
    assert_eq!((report.outstanding, report.failing.is_none()), (0, true), "{report:?}");
    assert!(report.reached.is_some_and(|frame| frame >= 1000), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_write_is_seen_by_every_way_to_read() {
    let primary = Primary::start().await;
    let replica = primary.replica("edge.db", "&sync=1h").await;
    let other = primary.replica("edge.db", "&sync=1h").await;

    let verb = |id| {
        let rows = vec![vec![larder_core::Value::Int(id), larder_core::Value::Int(0)]];
        Verb::Insert(larder_core::Insert { table: &COUNTERS, rows })
    };
    replica.run(Unit::default().then(verb(1)).then(verb(2))).await.expect("a unit");
    assert_eq!(count(&other).await.expect("read"), 2);

    let mut transaction = replica.begin(Begin::Serializable).await.expect("a transaction");
    transaction.execute(verb(3)).await.expect("written");
    assert_eq!(count(&other).await.expect("read"), 2, "before the commit");
    transaction.commit().await.expect("committed");
    assert_eq!(number(&other, "SELECT count(*) FROM counters").await.expect("read"), 3);

    replica
        .sql(Sql::portable("INSERT INTO counters VALUES (4, 0); CREATE TABLE more (id INTEGER)"))
        .await
        .expect("SQL");
    assert_eq!(
        number(&other, "WITH n AS (SELECT count(*) AS n FROM counters) SELECT n FROM n").await.expect("read"),
        4
    );
    assert_eq!(number(&other, "SELECT count(*) FROM more").await.expect("a new table"), 0);
    let written = "WITH n AS (SELECT 5 AS n) INSERT INTO counters SELECT n, 0 FROM n RETURNING id";
    assert_eq!(number(&replica, written).await.expect("written"), 5);
    assert_eq!(count(&other).await.expect("read"), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_write_is_seen_after_the_interval() {
    let primary = Primary::start().await;
    let replica = primary.replica("edge.db", "&sync=100ms").await;
    primary.write("INSERT INTO counters VALUES (1, 1)").await;
    until_count(&replica, 1).await;
    primary
        .write("ALTER TABLE counters ADD COLUMN more INTEGER; INSERT INTO counters VALUES (2, 2, 2)")
        .await;
    until_count(&replica, 2).await;
    assert_eq!(number(&replica, "SELECT more FROM counters WHERE id = 2").await.expect("the new column"), 2);
}

/// Money is moved about on the primary, in many pages at once; nobody may see some missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_whole_transactions_while_the_file_is_written() {
    const ACCOUNTS: i64 = 2_000;
    let primary = Primary::start().await;
    primary
        .write(&format!(
            "ALTER TABLE counters ADD COLUMN note TEXT NOT NULL DEFAULT '';
             WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ACCOUNTS})
             INSERT INTO counters SELECT n, 100, hex(randomblob(200)) FROM n"
        ))
        .await;
    let replica = primary.replica("edge.db", "&sync=100ms&readers=3").await;
    let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let readers: Vec<_> = (0..6)
        .map(|reader| {
            let (stop, reads, store) = (Arc::clone(&stop), Arc::clone(&reads), local(&replica));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    if reader % 2 == 0 {
                        let sum = number(&*store, "SELECT sum(value) FROM counters").await.expect("read");
                        assert_eq!(sum, ACCOUNTS * 100);
                    } else {
                        assert!(
                            value(&*store, 1 + fastrand::i64(0..ACCOUNTS)).await.expect("read").is_some()
                        );
                        tokio::task::yield_now().await;
                    }
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 0..60 {
        let amount = 1 + round % 7;
        let script = format!(
            "UPDATE counters SET value = value - {amount}, note = hex(randomblob(200)) WHERE id % 2 = {0};
             UPDATE counters SET value = value + {amount} WHERE id % 2 = 1 - {0};
             CREATE TABLE step{round} (id INTEGER)",
            round % 2
        );
        replica.sql(Sql::portable(script)).await.expect("written");
        let last = number(&replica, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'step%'").await;
        assert_eq!(last.expect("the schema"), round + 1);
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.expect("a reader");
    }
    println!("{} reads beside 60 transactions", reads.load(Ordering::Relaxed));
    assert_eq!(
        number(&replica, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'")
            .await
            .expect("checked"),
        0
    );
    // 60 transactions of some hundred pages each: the log was moved into the file again and again.
    let log = metadata(primary.path("edge.db-wal")).expect("a log").len();
    println!("log {log}");
    assert!(log < 16 << 20, "the write-ahead log has grown to {log} bytes");
}
