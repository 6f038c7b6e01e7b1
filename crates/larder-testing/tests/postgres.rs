//! A database is fresh and alone; a server can be stopped, frozen and killed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use larder_testing::{Postgres, PostgresDatabase, Proxy, TestingError, poll_until};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, NoTls};

const SOON: Duration = Duration::from_secs(20);

async fn connect_to(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn connect(database: &PostgresDatabase) -> Client {
    connect_to(database.url()).await.unwrap()
}

async fn run(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap();
}

async fn count(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

async fn own() -> Postgres {
    Postgres::builder().own(true).start().await.unwrap()
}

#[tokio::test]
async fn a_database_is_empty_and_alone() {
    let server = Postgres::shared().await.unwrap();
    let (one, two) = (server.database().await.unwrap(), server.database().await.unwrap());
    assert_ne!(one.name(), two.name());
    run(&connect(&one).await, "CREATE TABLE things (id int)").await;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(count(&connect(&one).await, tables).await, 1);
    assert_eq!(count(&connect(&two).await, tables).await, 0);
}

#[tokio::test]
async fn many_databases_at_once() {
    let server = Postgres::shared().await.unwrap();
    let tasks: Vec<_> = (0..12).map(|_| tokio::spawn(server.database())).collect();
    for task in tasks {
        let database = task.await.unwrap().unwrap();
        assert_eq!(count(&connect(&database).await, "SELECT 1::bigint").await, 1);
    }
}

#[tokio::test]
async fn a_dropped_database_is_gone_though_somebody_is_connected() {
    let server = Postgres::shared().await.unwrap();
    let (watcher, database) = (server.database().await.unwrap(), server.database().await.unwrap());
    let _connected = connect(&database).await;
    let name = database.name().to_owned();
    drop(database);
    let url = watcher.url();
    poll_until(SOON, "the database is gone", || async {
        let client = connect_to(url).await.unwrap();
        let found = client.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&name]).await.unwrap();
        found.is_none().then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let database = own().await.database().await.unwrap();
    let mut url = url::Url::parse(database.url()).unwrap();
    url.set_password(Some("wrong")).unwrap();
    let error = connect_to(url.as_str()).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INVALID_PASSWORD), "{error}");
}

#[tokio::test]
async fn neither_origin_nor_debug_holds_the_password() {
    let server = own().await;
    let database = server.database().await.unwrap();
    let url = url::Url::parse(database.url()).unwrap();
    let shown = format!("{} {server:?} {database:?}", server.origin());
    assert!(!shown.contains(url.password().unwrap()), "{shown}");
    assert!(server.origin().starts_with("PostgreSQL 1"), "{shown}");
    assert!(server.origin().contains(" started from /"), "{shown}");
}

#[tokio::test]
async fn copies_of_a_template_are_prepared_and_alone() {
    let server = Postgres::shared().await.unwrap();
    let template = server
        .template(|url| async move {
            let client = connect_to(&url).await?;
            client.batch_execute("CREATE TABLE things (id int); INSERT INTO things VALUES (7)").await?;
            // Left open on purpose: freezing must end it.
            std::mem::forget(client);
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    let (one, two) = tokio::join!(server.database_from(&template), server.database_from(&template));
    let (one, two) = (one.unwrap(), two.unwrap());
    run(&connect(&one).await, "DELETE FROM things").await;
    assert_eq!(count(&connect(&one).await, "SELECT count(*) FROM things").await, 0);
    assert_eq!(count(&connect(&two).await, "SELECT count(*) FROM things").await, 1);
}

#[tokio::test]
async fn an_error_while_preparing_a_template_is_kept() {
    let server = Postgres::shared().await.unwrap();
    let error = server.template(|_| async { Err::<(), _>("no seeds") }).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot prepare a template: no seeds");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "no seeds");
}

#[tokio::test]
async fn a_frozen_server_answers_again_after_resume() {
    let server = own().await;
    let database = server.database().await.unwrap();
    let client = connect(&database).await;
    server.freeze().await.unwrap();
    let mut asking = std::pin::pin!(count(&client, "SELECT 1::bigint"));
    let waited = tokio::time::timeout(Duration::from_millis(200), &mut asking).await;
    assert!(waited.is_err(), "a frozen server answered");
    server.resume().await.unwrap();
    assert_eq!(tokio::time::timeout(SOON, asking).await.unwrap(), 1);
}

#[tokio::test]
async fn a_frozen_server_can_be_dropped() {
    let server = own().await;
    server.freeze().await.unwrap();
    let begun = Instant::now();
    drop(server);
    assert!(begun.elapsed() < SOON);
}

#[tokio::test]
async fn what_was_confirmed_before_a_kill_is_there_after_the_restart() {
    let server = own().await;
    let database = server.database().await.unwrap();
    let client = connect(&database).await;
    run(&client, "CREATE TABLE things (id int)").await;
    run(&client, "INSERT INTO things VALUES (1)").await;
    server.kill().await.unwrap();
    assert!(client.check_connection().await.is_err());
    assert!(connect_to(database.url()).await.is_err());
    assert!(server.freeze().await.is_err(), "a killed server cannot be frozen");
    server.restart().await.unwrap();
    assert_eq!(count(&connect(&database).await, "SELECT count(*) FROM things").await, 1);
}

#[tokio::test]
async fn a_killed_session_takes_the_others_with_it_and_the_server_recovers() {
    let server = own().await;
    let database = server.database().await.unwrap();
    let (victim, other) = (connect(&database).await, connect(&database).await);
    run(&other, "CREATE TABLE things (id int); INSERT INTO things VALUES (1)").await;
    let pid = count(&victim, "SELECT pg_backend_pid()::bigint").await;
    server.kill_session(1).await.unwrap();
    assert_eq!(count(&victim, "SELECT count(*) FROM things").await, 1, "that was no session");
    server.kill_session(u32::try_from(pid).unwrap()).await.unwrap();
    for client in [&victim, &other] {
        let ended = async { while client.check_connection().await.is_ok() {} };
        tokio::time::timeout(SOON, ended).await.unwrap();
    }
    let again =
        poll_until(SOON, "the server has recovered", || async { connect_to(database.url()).await.ok() })
            .await
            .unwrap();
    assert_eq!(count(&again, "SELECT count(*) FROM things").await, 1);
}

#[tokio::test]
async fn a_stopped_server_comes_back_on_the_same_port() {
    let server = own().await;
    let database = server.database().await.unwrap();
    server.stop().await.unwrap();
    assert!(connect_to(database.url()).await.is_err());
    server.stop().await.unwrap();
    server.restart().await.unwrap();
    assert_eq!(count(&connect(&database).await, "SELECT 1::bigint").await, 1);
    server.restart().await.unwrap();
    assert_eq!(count(&connect(&database).await, "SELECT 1::bigint").await, 1);
    server.database().await.unwrap();
}

#[tokio::test]
async fn a_durable_server_syncs() {
    let server = Postgres::builder().own(true).durable(true).start().await.unwrap();
    let database = server.database().await.unwrap();
    let settings = "SELECT count(*) FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', \
                    'synchronous_commit') AND setting = 'on'";
    assert_eq!(count(&connect(&database).await, settings).await, 3);
}

#[tokio::test]
async fn nothing_found_says_what_to_do() {
    let empty = tempfile::tempdir().unwrap();
    for directories in [vec![], vec![empty.path().to_owned(), PathBuf::from("relative")]] {
        let error: TestingError =
            Postgres::builder().own(true).binaries(directories).start().await.unwrap_err();
        let message = error.to_string();
        for part in ["not found", "LARDER_TEST_POSTGRES_URL", "apt-get install postgresql", "Docker"] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let empty = tempfile::tempdir().unwrap();
    let error =
        Postgres::builder().own(true).directory(empty.path().join("absent")).start().await.unwrap_err();
    assert!(error.to_string().contains("absent"), "{error}");
    for program in ["initdb", "postgres"] {
        std::fs::write(empty.path().join(program), "").unwrap();
    }
    let error = Postgres::builder().own(true).binaries([empty.path().to_owned()]).start().await.unwrap_err();
    assert!(error.to_string().contains("initdb failed"), "{error}");
}

#[tokio::test]
async fn a_database_through_a_proxy() {
    let server = Postgres::shared().await.unwrap();
    let database = server.database().await.unwrap();
    let proxy = Proxy::start(database.address().unwrap()).await.unwrap();
    let url = database.url_through(proxy.address()).unwrap();
    let client = connect_to(&url).await.unwrap();
    assert_eq!(count(&client, "SELECT 1::bigint").await, 1);
    proxy.cut();
    assert!(client.check_connection().await.is_err());
}
