//! What can be opened, and by whom.

use std::fs;

use larder_core::{ErrorKind, Store};
use larder_libsql::{LibsqlConfig, LibsqlStore, ReplicaConfig, ReplicaStore};
use larder_testing::Sqld;

use crate::common::{Primary, count, insert, local, refusal, value};

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_opens_without_its_primary_and_a_new_one_does_not() {
    let primary = Primary::start().await;
    let replica = primary.replica("edge.db", "").await;
    insert(&replica, 1, 10).await.expect("written");
    assert_eq!(count(&replica).await.expect("read"), 1);
    replica.close().await.expect("closed");
    assert_eq!(*refusal(count(&replica).await).kind(), ErrorKind::Closed);
    assert_eq!(*refusal(insert(&replica, 2, 0).await).kind(), ErrorKind::Closed);

    primary.server.stop().await.expect("stopped");
    let replica = primary.replica("edge.db", "").await;
    assert_eq!(value(&replica, 1).await.expect("read"), Some(10));
    let refused = refusal(ReplicaStore::open(primary.config("new.db", "")).await);
    assert_eq!(*refused.kind(), ErrorKind::Unavailable, "{refused}");

    primary.server.restart().await.expect("restarted");
    insert(&replica, 2, 20).await.expect("written");
    assert_eq!(value(&replica, 2).await.expect("read"), Some(20));
    // What the first attempt left behind is no obstacle.
    assert_eq!(count(&primary.replica("new.db", "").await).await.expect("read"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_of_a_process_share_the_replica() {
    let primary = Primary::start().await;
    let (first, second) = tokio::join!(primary.replica("edge.db", ""), primary.replica("edge.db", ""));
    insert(&first, 1, 1).await.expect("written");
    assert_eq!(count(&second).await.expect("read"), 1);
    first.close().await.expect("closed");
    assert_eq!(*refusal(count(&*local(&first)).await).kind(), ErrorKind::Closed);
    insert(&second, 2, 2).await.expect("written");
    assert_eq!(count(&second).await.expect("read"), 2);
    let mut last = second;
    for _ in 0..20 {
        drop(last);
        last = primary.replica("edge.db", "").await;
        assert_eq!(count(&last).await.expect("read"), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_replica_of_this_primary_is_refused_and_left() {
    let primary = Primary::start().await;
    let plain = primary.path("plain.db");
    let store =
        LibsqlStore::open(LibsqlConfig::parse(&format!("file:{}", plain.display())).expect("config")).await;
    store.expect("a file").close().await.expect("closed");
    let before = fs::read(&plain).expect("a file");
    assert_eq!(*refusal(ReplicaStore::open(primary.config("plain.db", "")).await).kind(), ErrorKind::Config);
    assert_eq!(fs::read(&plain).expect("a file"), before);

    fs::create_dir(primary.path("directory")).expect("a directory");
    assert_eq!(*refusal(ReplicaStore::open(primary.config("directory", "")).await).kind(), ErrorKind::Config);

    let replica = primary.replica("edge.db", "").await;
    let other = primary.server.database().await.expect("another database");
    let url = format!("{}?replica={}", other.url(), primary.path("edge.db").display());
    let config = || ReplicaConfig::parse(&url).expect("config");
    assert_eq!(*refusal(ReplicaStore::open(config()).await).kind(), ErrorKind::Config, "while it is open");
    replica.close().await.expect("closed");
    let refused = refusal(ReplicaStore::open(config()).await);
    assert_eq!(*refused.kind(), ErrorKind::Config);
    assert!(refused.context().contains("edge.db: this is replica of"), "{refused}");
    primary.replica("edge.db", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_said_at_once() {
    let server = Sqld::builder().authenticated().start().await.expect("a server");
    let database = server.database().await.expect("a database");
    let directory = tempfile::tempdir().expect("a directory");
    for token in ["", server.expired_token(), server.foreign_token()] {
        let option = if token.is_empty() { String::new() } else { format!("&authToken={token}") };
        let url =
            format!("{}?replica={}{option}", database.url(), directory.path().join("edge.db").display());
        let refused = refusal(ReplicaStore::open(ReplicaConfig::parse(&url).expect("config")).await);
        assert_eq!(*refused.kind(), ErrorKind::Denied, "{refused:?}");
    }
    let good = format!(
        "{}?replica={}&authToken={}",
        database.url(),
        directory.path().join("edge.db").display(),
        server.token()
    );
    ReplicaStore::open(ReplicaConfig::parse(&good).expect("config")).await.expect("a replica");
}
