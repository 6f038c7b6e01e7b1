//! A libSQL server's databases are fresh and alone; it asks for tokens; it can be stopped, frozen, killed and replicated.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use larder_testing::{Proxy, Sqld, SqldDatabase, poll_until};
use tokio::time::timeout;

mod support;

use support::{ask, run_at};

const SOON: Duration = Duration::from_secs(20);

async fn run(database: &SqldDatabase, sql: &str) -> String {
    run_at(database.url(), sql).await
}

/// `0` while the table is not there.
async fn has_table(database: &SqldDatabase) -> String {
    run(database, "select count(*) from sqlite_master where name = 'things'").await
}

#[tokio::test]
async fn a_database_is_empty_and_alone() {
    let server = Sqld::shared().await.unwrap();
    let (one, two) = (server.database().await.unwrap(), server.database().await.unwrap());
    assert_ne!(one.namespace(), two.namespace());
    run(&one, "create table things (id)").await;
    assert_eq!(has_table(&one).await, "1");
    assert_eq!(has_table(&two).await, "0");
    assert_eq!(run_at(&server.url(), "select 7").await, "7");
}

#[tokio::test]
async fn the_url_says_where_and_which() {
    let server = Sqld::shared().await.unwrap();
    let database = server.database().await.unwrap();
    let (_, port) = server
        .host_and_port()
        .split_once(':')
        .map(|(host, port)| (host.to_owned(), port.to_owned()))
        .unwrap();
    assert_eq!(server.url(), format!("http://127.0.0.1:{port}"));
    assert_eq!(database.url(), format!("http://{}.localhost:{port}", database.namespace()));
    assert!(server.origin().starts_with("sqld 0."), "{}", server.origin());
}

#[tokio::test]
async fn many_databases_at_once() {
    let server = Sqld::shared().await.unwrap();
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            tokio::spawn(async move {
                let database = server.database().await.unwrap();
                run(&database, "create table things (id)").await;
                run(&database, &format!("insert into things values ({number})")).await;
                assert_eq!(run(&database, "select id from things").await, number.to_string());
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// More than the hundred that sqld keeps open by itself: beyond those it answers for some that they are not there.
#[tokio::test]
async fn hundreds_of_databases_of_one_server() {
    let server = Sqld::shared().await.unwrap();
    let mut databases = Vec::new();
    for _ in 0..250 {
        let database = server.database().await.unwrap();
        run(&database, "create table things (id)").await;
        databases.push(database);
    }
    for database in &databases {
        assert_eq!(has_table(database).await, "1");
    }
}

#[tokio::test]
async fn a_dropped_database_is_gone() {
    let server = Sqld::shared().await.unwrap();
    let database = server.database().await.unwrap();
    run(&database, "create table things (id)").await;
    let url = database.url().to_owned();
    drop(database);
    poll_until(SOON, "the database is gone", || async {
        (ask(&url, None, "select 1").await.unwrap().0 == 404).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_authenticated_server_takes_its_own_valid_tokens_alone() {
    let server = Sqld::builder().authenticated().start().await.unwrap();
    let database = server.database().await.unwrap();
    let status = async |token, sql| ask(database.url(), token, sql).await.unwrap();
    let create = "create table things (id)";
    for refused in [None, Some(server.expired_token()), Some(server.foreign_token()), Some("nonsense")] {
        let (status, text) = status(refused, create).await;
        assert_eq!(status, 401, "{refused:?}: {text}");
    }
    let (_, text) = status(Some(server.read_only_token()), create).await;
    assert!(text.contains("error"), "{text}");
    let (_, text) = status(Some(server.token()), create).await;
    assert!(!text.contains("error"), "{text}");
    let (code, text) = status(Some(server.read_only_token()), "select count(*) from things").await;
    assert!(code == 200 && text.contains(r#""value":"0""#), "{code} {text}");
    let (code, text) = ask(&server.url(), Some(server.token()), "select 1").await.unwrap();
    assert_eq!(code, 200, "a token is good for every database: {text}");
}

#[tokio::test]
async fn debug_holds_no_token() {
    let server = Sqld::builder().authenticated().start().await.unwrap();
    let shown = format!("{server:?} {:?} {}", server.database().await.unwrap(), server.origin());
    let (_, signature) = server.token().rsplit_once('.').unwrap();
    assert!(!shown.contains(signature), "{shown}");
}

#[tokio::test]
async fn a_frozen_server_answers_again_after_resume() {
    let server = Sqld::start().await.unwrap();
    let database = server.database().await.unwrap();
    server.freeze().await.unwrap();
    let mut asking = std::pin::pin!(run(&database, "select 1"));
    let waited = timeout(Duration::from_millis(200), &mut asking).await;
    assert!(waited.is_err(), "a frozen server answered");
    server.resume().await.unwrap();
    assert_eq!(timeout(SOON, asking).await.unwrap(), "1");
}

#[tokio::test]
async fn a_frozen_server_can_be_dropped() {
    let server = Sqld::start().await.unwrap();
    server.freeze().await.unwrap();
    let begun = Instant::now();
    drop(server);
    assert!(begun.elapsed() < SOON);
}

#[tokio::test]
async fn what_was_confirmed_before_a_kill_is_there_after_the_restart() {
    let server = Sqld::start().await.unwrap();
    let database = server.database().await.unwrap();
    let url = database.url().to_owned();
    run(&database, "create table things (id)").await;
    for kills in 1..=5 {
        run(&database, "insert into things values (1)").await;
        server.kill().await.unwrap();
        assert!(ask(&url, None, "select 1").await.is_err());
        assert!(server.freeze().await.is_err(), "a killed server cannot be frozen");
        server.restart().await.unwrap();
        assert_eq!(database.url(), url);
        assert_eq!(run(&database, "select count(*) from things").await, kills.to_string());
    }
}

#[tokio::test]
async fn a_stopped_server_comes_back_on_the_same_ports() {
    let server = Sqld::start().await.unwrap();
    let database = server.database().await.unwrap();
    run(&database, "create table things (id)").await;
    let grpc = server.grpc_url();
    server.stop().await.unwrap();
    assert!(ask(database.url(), None, "select 1").await.is_err());
    server.stop().await.unwrap();
    server.restart().await.unwrap();
    assert_eq!(has_table(&database).await, "1");
    server.restart().await.unwrap();
    assert_eq!(has_table(&database).await, "1");
    assert_eq!(server.grpc_url(), grpc);
    server.database().await.unwrap();
}

#[tokio::test]
async fn a_replica_shows_its_primarys_databases_and_hands_writes_on() {
    let primary = Sqld::builder().authenticated().start().await.unwrap();
    let replica = Sqld::builder().replica_of(&primary).start().await.unwrap();
    let database = primary.database().await.unwrap();
    let address: SocketAddr = replica.host_and_port().parse().unwrap();
    let there = database.url_by(address);
    assert_ne!(there, database.url());
    let ask = async |url: &str, sql| ask(url, Some(primary.token()), sql).await.unwrap().1;
    ask(&there, "create table things (id)").await;
    ask(&there, "insert into things values (1)").await;
    assert!(ask(database.url(), "select count(*) from things").await.contains(r#""value":"1""#));
    poll_until(SOON, "the replica has the row", || async {
        let found = ask(&there, "select count(*) from things").await;
        found.contains(r#""value":"1""#).then_some(())
    })
    .await
    .unwrap();
    assert!(ask(replica.database().await.unwrap().url(), "select 7").await.contains(r#""value":"7""#));
    primary.stop().await.unwrap();
    assert!(ask(&there, "select count(*) from things").await.contains(r#""value":"1""#));
}

#[tokio::test]
async fn an_option_reaches_the_server_and_a_wrong_one_says_so() {
    let server = Sqld::builder()
        .option("--max-response-size", "1KB")
        .option("--max-active-namespaces", "50")
        .start()
        .await
        .unwrap();
    let database = server.database().await.unwrap();
    let (_, text) = ask(database.url(), None, "select hex(zeroblob(2000))").await.unwrap();
    assert!(text.contains("RESPONSE_TOO_LARGE"), "{text}");
    let error = Sqld::builder().option("--no-such-option", "1").start().await.unwrap_err();
    assert!(error.to_string().contains("unexpected argument '--no-such-option'"), "{error}");
}

#[tokio::test]
async fn a_database_through_a_proxy() {
    let server = Sqld::shared().await.unwrap();
    let database = server.database().await.unwrap();
    let proxy = Proxy::start(server.host_and_port()).await.unwrap();
    let url = database.url_by(proxy.address());
    run_at(&url, "create table things (id)").await;
    assert_eq!(has_table(&database).await, "1");
    proxy.refuse(true).await.unwrap();
    let error = ask(&url, None, "select 1").await.unwrap_err();
    assert_eq!(error.downcast::<io::Error>().unwrap().kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_write_whose_answer_was_dropped_is_done() {
    let server = Sqld::shared().await.unwrap();
    let database = server.database().await.unwrap();
    run(&database, "create table things (id)").await;
    let proxy = Proxy::start(server.host_and_port()).await.unwrap();
    let url = database.url_by(proxy.address());
    proxy.drop_answer_after(0);
    ask(&url, None, "insert into things values (1)").await.unwrap_err();
    assert_eq!(run_at(&url, "select count(*) from things").await, "1");
    assert_eq!(proxy.requests(), 2);
}
