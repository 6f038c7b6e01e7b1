//! Connections that die, callers that go away, and deadlines.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use crate::common::*;
use larder_core::{Begin, ColumnType, ErrorKind, Sql, Store, Unit, Value};
use larder_testing::Proxy;

fn terminate() -> Sql {
    let others = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    Sql::portable(others).returning([ColumnType::Int])
}

#[tokio::test]
async fn a_connection_that_died_while_idle_is_replaced() {
    let fixture = Fixture::new().await;
    let (store, killer) = (fixture.store("pool_size=1").await, fixture.store("").await);
    let mut users = 0..;
    let mut write = || insert(&USERS, vec![user(users.next().unwrap(), None)]);
    let killed =
        async || assert_eq!(killer.sql(terminate()).await.unwrap().rows[0].values(), [Value::Int(1)]);
    store.execute(write()).await.unwrap();
    killed().await;
    store.execute(write()).await.unwrap();
    killed().await;
    store.execute(get(1)).await.unwrap();
    killed().await;
    store.run(Unit::default().then(write()).then(write())).await.unwrap();
    killed().await;
    let mut transaction = store.begin(Begin::Serializable).await.unwrap();
    transaction.execute(write()).await.unwrap();
    transaction.commit().await.unwrap();
    killed().await;
    store.health().await.unwrap();
    assert_eq!(number(&*store, count(&USERS)).await, 5);
}

/// As above, but by the network, which says no last word.
#[tokio::test]
async fn a_connection_that_was_cut_while_idle_is_replaced() {
    let fixture = Fixture::new().await;
    let proxy = Proxy::start(fixture.database.address().unwrap()).await.unwrap();
    let url = fixture.database.url_through(proxy.address()).unwrap();
    let config = larder_postgres::PostgresConfig::parse(&format!("{url}?pool_size=1")).unwrap();
    let store = larder_postgres::PostgresStore::connect(config).await.unwrap();
    for number in 0..3 {
        proxy.cut();
        // Longer than a silent connection is trusted before a write.
        tokio::time::sleep(Duration::from_millis(30)).await;
        store.execute(insert(&USERS, vec![user(number, None)])).await.unwrap();
        proxy.cut();
        assert!(row(&store, get_user(number)).await.is_some());
    }
    proxy.refuse(true).await.unwrap();
    proxy.cut();
    assert_eq!(kind(store.execute(get_user(1)).await), ErrorKind::Unavailable);
    assert_eq!(kind(store.execute(insert(&USERS, vec![user(9, None)])).await), ErrorKind::Unavailable);
    proxy.refuse(false).await.unwrap();
    assert_eq!(number(&store, count(&USERS)).await, 3);
}

/// Where one connection was lost, the others may be dead too: before a write each is asked, because a write whose answer is
/// lost cannot be repeated.
#[tokio::test]
async fn after_a_loss_idle_connections_are_asked_before_a_write() {
    let fixture = Fixture::new().await;
    let proxy = Proxy::start(fixture.database.address().unwrap()).await.unwrap();
    let url = fixture.database.url_through(proxy.address()).unwrap();
    let config = larder_postgres::PostgresConfig::parse(&format!("{url}?pool_size=2")).unwrap();
    let store = larder_postgres::PostgresStore::connect(config).await.unwrap();
    let mut transaction = store.begin(Begin::Serializable).await.unwrap();
    transaction.execute(count(&USERS)).await.unwrap();
    store.health().await.unwrap();
    transaction.rollback().await.unwrap();
    let suicide = "SELECT pg_terminate_backend(pg_backend_pid())";
    store.sql(Sql::portable(suicide).returning([ColumnType::Bool])).await.unwrap_err();
    // The question is sent, and its answer is lost; of a write nobody would know what became of it.
    proxy.cut_after(1);
    store.execute(insert(&USERS, vec![user(1, None)])).await.unwrap();
    assert!(!proxy.spare());
    assert_eq!(number(&store, count(&USERS)).await, 1);
}

/// The connection goes while the server works on it.
#[tokio::test]
async fn cut_in_the_middle() {
    let fixture = Fixture::new().await;
    let proxy = Proxy::start(fixture.database.address().unwrap()).await.unwrap();
    let url = fixture.database.url_through(proxy.address()).unwrap();
    let config = larder_postgres::PostgresConfig::parse(&url).unwrap();
    let store = std::sync::Arc::new(larder_postgres::PostgresStore::connect(config).await.unwrap());
    let observer = fixture.store("").await;
    let sleeps = Sql::portable("INSERT INTO users SELECT gen_random_uuid(), NULL, now() FROM pg_sleep($1)")
        .bind(ColumnType::Float, Value::Float(60.0));
    let call = tokio::spawn({
        let store = store.clone();
        async move { store.sql(sleeps).await }
    });
    wait_for_sleeper(&*observer).await;
    proxy.cut();
    assert_eq!(kind(call.await.unwrap()), ErrorKind::Ambiguous);

    let mut transaction = store.begin(Begin::Serializable).await.unwrap();
    transaction.execute(insert(&USERS, vec![user(1, None)])).await.unwrap();
    proxy.cut();
    assert_eq!(kind(transaction.execute(count(&USERS)).await), ErrorKind::Unavailable);
    let mut transaction = store.begin(Begin::Serializable).await.unwrap();
    transaction.execute(insert(&USERS, vec![user(1, None)])).await.unwrap();
    proxy.cut();
    assert_eq!(kind(transaction.commit().await), ErrorKind::Ambiguous);
    assert_eq!(number(&*store, count(&USERS)).await, 0);
}

async fn wait_for_sleeper(observer: &dyn Store) {
    let sleepers = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event = 'PgSleep'";
    loop {
        let outcome = observer.sql(Sql::portable(sleepers).returning([ColumnType::Int])).await.unwrap();
        if outcome.rows[0].values() != [Value::Int(0)] {
            return;
        }
    }
}

#[tokio::test]
async fn calls_return_by_their_deadline() {
    let fixture = Fixture::new().await;
    let store = fixture.store("pool_size=1&timeout=300ms").await;
    let slow = || Sql::portable("SELECT pg_sleep(60)::text").returning([ColumnType::Text]);
    let begun = Instant::now();
    assert_eq!(kind(store.sql(slow()).await), ErrorKind::Timeout);
    let mut transaction = store.begin(Begin::Serializable).await.unwrap();
    assert_eq!(kind(transaction.sql(slow()).await), ErrorKind::Timeout);
    drop(transaction);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(number(&*store, count(&USERS)).await, 0);
    // The server has cancelled what nobody listens to.
    let observer = fixture.store("").await;
    let running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(60)%'
        AND state = 'active' AND pid <> pg_backend_pid()";
    let running = || Sql::portable(running).returning([ColumnType::Int]);
    while observer.sql(running()).await.unwrap().rows[0].values() != [Value::Int(0)] {
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn a_frozen_server() {
    let fixture = Fixture::new().await;
    let proxy = Proxy::start(fixture.database.address().unwrap()).await.unwrap();
    let url = fixture.database.url_through(proxy.address()).unwrap();
    let options = "pool_size=1&timeout=300ms&connect_timeout=200ms";
    let config = larder_postgres::PostgresConfig::parse(&format!("{url}?{options}")).unwrap();
    let store = larder_postgres::PostgresStore::connect(config).await.unwrap();
    proxy.freeze(true);
    let begun = Instant::now();
    assert_eq!(kind(store.execute(get_user(1)).await), ErrorKind::Timeout);
    assert_eq!(kind(store.execute(get_user(1)).await), ErrorKind::Unavailable);
    assert_eq!(kind(store.begin(Begin::Serializable).await), ErrorKind::Unavailable);
    assert!(begun.elapsed() < Duration::from_secs(5));
    proxy.freeze(false);
    assert_eq!(row(&store, get_user(1)).await, None);
}

#[tokio::test]
async fn an_exhausted_pool_is_busy_and_recovers() {
    let fixture = Fixture::new().await;
    let store = fixture.store("pool_size=1&acquire_timeout=50ms").await;
    let transaction = store.begin(Begin::Serializable).await.unwrap();
    let error = store.execute(get(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (&ErrorKind::Busy, true));
    assert!(error.to_string().contains("pool_size"), "{error}");
    assert_eq!(kind(store.begin(Begin::Serializable).await), ErrorKind::Busy);
    transaction.rollback().await.unwrap();
    store.execute(get(1)).await.unwrap();
}

/// Polls a future this often, then drops it. True when it ended before.
async fn dropped_after<T>(polls: usize, call: impl Future<Output = T>) -> bool {
    let mut call = pin!(call);
    for _ in 0..polls {
        if call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return true;
        }
        // The tasks and the connection go on meanwhile.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    false
}

/// Whatever the point at which a call is dropped: with one connection, the next call succeeds and sees whole writes only.
#[tokio::test]
async fn a_caller_may_go_away_at_any_point() {
    let fixture = Fixture::new().await;
    let store = fixture.store("pool_size=1&acquire_timeout=5s").await;
    let mut next = 0;
    let mut fresh = || {
        next += 2;
        [user(next, None), user(next + 1, None)]
    };
    let (mut ended_once, mut polls) = ([false; 4], 0);
    while ended_once != [true; 4] || polls < 30 {
        let [a, b] = fresh();
        let unit = Unit::default().then(insert(&USERS, vec![a])).then(insert(&USERS, vec![b]));
        ended_once[0] |= dropped_after(polls, store.run(unit)).await;
        assert_eq!(number(&*store, count(&USERS)).await % 2, 0);
        ended_once[1] |= dropped_after(polls, store.execute(insert(&USERS, fresh().to_vec()))).await;
        assert_eq!(number(&*store, count(&USERS)).await % 2, 0);
        let [a, b] = fresh();
        let transaction = async {
            let mut transaction = store.begin(Begin::Serializable).await.unwrap();
            transaction.execute(insert(&USERS, vec![a])).await.unwrap();
            transaction.execute(insert(&USERS, vec![b])).await.unwrap();
            transaction.commit().await.unwrap();
        };
        ended_once[2] |= dropped_after(polls, transaction).await;
        assert_eq!(number(&*store, count(&USERS)).await % 2, 0);
        ended_once[3] |= dropped_after(polls, store.begin(Begin::Schema)).await;
        let mut transaction = store.begin(Begin::Schema).await.unwrap();
        transaction.execute(count(&USERS)).await.unwrap();
        drop(transaction);
        polls += 1;
        assert!(polls < 2000);
    }
    let state =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'";
    let open = store.sql(Sql::portable(state).returning([ColumnType::Int])).await.unwrap();
    assert_eq!(open.rows[0].values(), [Value::Int(0)]);
}

#[tokio::test]
async fn health_names_the_version() {
    let fixture = Fixture::new().await;
    let store = fixture.store("").await;
    store.execute(insert(&USERS, vec![user(1, None)])).await.unwrap();
    let health = store.health().await.unwrap();
    let carried: Vec<_> = health.lanes.iter().map(|lane| (lane.name, lane.batches, lane.items)).collect();
    assert_eq!(carried, [("reads", 0, 0), ("writes", 1, 1), ("claims", 0, 0)]);
    assert!(health.version.starts_with("PostgreSQL 1"), "{health:?}");
    assert!(health.round_trip < Duration::from_secs(5));
}

/// Many callers through few connections, some of which go away: nobody waits for ever, nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn many_callers_share_few_connections() {
    let fixture = Fixture::new().await;
    let store = fixture.store("pool_size=2").await;
    let callers = (0..64_u128).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            for turn in 0..10 {
                let write = store.execute(insert(&USERS, vec![user(number * 100 + turn, None)]));
                if (number + turn) % 3 == 0 {
                    let _ = tokio::time::timeout(Duration::from_micros(300), write).await;
                } else {
                    write.await.unwrap();
                }
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    let written = number(&*store, count(&USERS)).await;
    assert!((426..=640).contains(&written), "{written}");
    let backends = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()";
    let backends = store.sql(Sql::portable(backends).returning([ColumnType::Int])).await.unwrap();
    assert!(matches!(backends.rows[0].get(0), Some(Value::Int(1..=2))), "{backends:?}");
}
