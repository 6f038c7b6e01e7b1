//! A server ends with its process, however that ends. The processes are this test binary, started again with a variable
//! that says how to end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use larder_testing::{Postgres, Sqld, poll_until};
use tokio::net::TcpStream;
use tokio_postgres::NoTls;

mod support;

use support::run_at;

const ENDING: &str = "LARDER_TESTING_ENDING";
const SERVER: &str = "LARDER_TESTING_SERVER";
const SERVERS: [&str; 2] = ["postgres", "sqld"];
const SOON: Duration = Duration::from_secs(20);

/// Not a test of its own: what the started processes run.
#[tokio::test]
async fn child() {
    let Ok(ending) = std::env::var(ENDING) else { return };
    match std::env::var(SERVER).as_deref() {
        Ok("sqld") => sqld(&ending).await,
        _ => postgres(&ending).await,
    }
    match ending.as_str() {
        "return" => (),
        "abort" => std::process::abort(),
        _ => std::future::pending().await,
    }
}

async fn postgres(ending: &str) {
    if ending == "panic" {
        // Owned by a test that panics; the others use the static, which nobody drops.
        let data = std::env::temp_dir();
        let server = Postgres::builder().own(true).directory(data).start().await.unwrap();
        announce_postgres(&server).await;
        panic!("as asked");
    }
    let server = Postgres::shared().await.unwrap();
    announce_postgres(server).await;
    if ending == "frozen" {
        server.freeze().await.unwrap();
        println!("frozen");
    }
}

async fn sqld(ending: &str) {
    if ending == "panic" {
        let server = Sqld::start().await.unwrap();
        announce_sqld(&server).await;
        panic!("as asked");
    }
    let server = Sqld::shared().await.unwrap();
    announce_sqld(server).await;
    if ending == "frozen" {
        server.freeze().await.unwrap();
        println!("frozen");
    }
}

/// A server that was named and is not there is an error, never a reason to take another.
#[tokio::test]
async fn a_given_url_that_does_not_answer_is_an_error() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child"]).env(ENDING, "return");
    command.env(larder_testing::POSTGRES_URL, "postgres://me:secret@127.0.0.1:1/postgres");
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("postgres://me:***@127.0.0.1:1 from LARDER_TEST_POSTGRES_URL"), "{said}");
    assert!(said.contains("refused"), "{said}");
    assert!(!said.contains("secret"), "{said}");
}

async fn announce_postgres(server: &Postgres) {
    let database = server.database().await.unwrap();
    let (client, connection) = tokio_postgres::connect(database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let directory: String = client.query_one("SHOW data_directory", &[]).await.unwrap().get(0);
    println!("at {} {directory}", database.address().unwrap());
}

async fn announce_sqld(server: &Sqld) {
    let file = run_at(&server.url(), "select file from pragma_database_list").await;
    let data = file.strip_suffix("/dbs/127/data").unwrap();
    println!("at {} {data}", server.host_and_port());
}

struct Process {
    child: Child,
    address: String,
    data: PathBuf,
}

/// Starts the process and waits until its server runs; `until` is the line to wait for.
fn process(server: &str, ending: &str, until: &str) -> Process {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env(ENDING, ending).env(SERVER, server);
    command.env_remove(larder_testing::POSTGRES_URL).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut at = None;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The test harness may have written before it on the same line.
        if let Some((_, found)) = line.split_once("at 127.") {
            at = found.split_once(' ').map(|(address, data)| (format!("127.{address}"), PathBuf::from(data)));
        }
        if line.contains(until) {
            break;
        }
    }
    let (address, data) = at.expect("the process started a server");
    Process { child, address, data }
}

async fn server_is_gone(address: &str, data: &Path) {
    poll_until(SOON, "the server's port refuses", || async {
        TcpStream::connect(address).await.is_err().then_some(())
    })
    .await
    .unwrap();
    let directory = data.parent().unwrap();
    poll_until(SOON, "the server's directory is gone", || async { (!directory.exists()).then_some(()) })
        .await
        .unwrap();
}

#[tokio::test]
async fn when_the_process_is_killed() {
    for server in SERVERS {
        let mut process = process(server, "killed", "at 127.");
        TcpStream::connect(&process.address).await.unwrap();
        assert!(process.data.exists());
        process.child.kill().unwrap();
        process.child.wait().unwrap();
        server_is_gone(&process.address, &process.data).await;
    }
}

#[tokio::test]
async fn when_the_process_is_killed_while_the_server_is_frozen() {
    for server in SERVERS {
        let mut process = process(server, "frozen", "frozen");
        process.child.kill().unwrap();
        process.child.wait().unwrap();
        server_is_gone(&process.address, &process.data).await;
    }
}

#[tokio::test]
async fn when_the_test_panics() {
    for server in SERVERS {
        let mut process = process(server, "panic", "at 127.");
        assert!(!process.child.wait().unwrap().success());
        server_is_gone(&process.address, &process.data).await;
    }
}

#[tokio::test]
async fn when_the_process_aborts() {
    for server in SERVERS {
        let mut process = process(server, "abort", "at 127.");
        assert!(!process.child.wait().unwrap().success());
        server_is_gone(&process.address, &process.data).await;
    }
}

#[tokio::test]
async fn when_the_tests_are_over() {
    for server in SERVERS {
        let mut process = process(server, "return", "at 127.");
        process.child.wait().unwrap();
        server_is_gone(&process.address, &process.data).await;
    }
}
