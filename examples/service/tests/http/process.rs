//! The program as a person runs it: one command, one signal.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use larder_testing::{Postgres, poll_until};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    client::Client,
    runs::{due_job, job_when, messages},
    service::PATIENCE,
};

/// The program in a directory, with this `DATABASE_URL` or none.
fn program(directory: &Path, url: Option<&str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_job-service"));
    command.current_dir(directory).env("ADDRESS", "127.0.0.1:0").env("RUST_LOG", "warn");
    match url {
        Some(url) => command.env("DATABASE_URL", url),
        None => command.env_remove("DATABASE_URL"),
    };
    command
}

/// The key that `job-service user` prints.
fn new_key(directory: &Path, url: Option<&str>) -> String {
    let output = program(directory, url).args(["user", "--name", "Ada"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// A started service, killed when the test fails.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(directory: &Path, url: Option<&str>) -> Self {
        let mut child = program(directory, url).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://").expect("where it listens");
        Self { address: address.parse().unwrap(), child }
    }

    fn terminate(&self) {
        let kill = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
    }

    /// Waits until it has ended well.
    async fn ended(mut self) {
        let ended = || std::future::ready(self.child.try_wait().unwrap());
        let status = poll_until(PATIENCE, "the program ends", ended).await.unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and needs not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn without_a_url_it_makes_a_file_and_a_signal_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    a_signal_loses_nothing(directory.path(), None).await;
    assert!(directory.path().join("service.db").is_file());
}

#[tokio::test]
async fn on_postgresql_a_signal_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let database = Postgres::shared().await.unwrap().database().await.unwrap();
    a_signal_loses_nothing(directory.path(), Some(database.url())).await;
    assert_eq!(directory.path().read_dir().unwrap().count(), 0);
}

/// SIGTERM while the body of a request is on its way and jobs are being run.
async fn a_signal_loses_nothing(directory: &Path, url: Option<&str>) {
    let key = new_key(directory, url);
    let process = Process::start(directory, url);
    let ada = Client::with_key(process.address, &key);
    let body = json!({"definition": "Said just in time"}).to_string();
    let mut in_flight = begin_to_post(&ada, body.len()).await;
    let mut due = Vec::new();
    for number in 0..40 {
        due.push(due_job(&ada, &format!("Water plant {number}")).await);
    }

    process.terminate();
    let refused = async || TcpStream::connect(process.address).await.is_err().then_some(());
    poll_until(PATIENCE, "nothing new is accepted", refused).await.unwrap();
    in_flight.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    in_flight.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created"), "{answer}");
    process.ended().await;

    let process = Process::start(directory, url);
    let ada = Client::with_key(process.address, &key);
    let found = ada.get("/jobs?search=just+in+time").await.expect(200);
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    // Run before the signal or after the new start, and once: no lease is left to wait for.
    for path in due {
        let job = job_when(&ada, &path, "it is run", |job| job["total_tokens"] != 0).await;
        assert_eq!((&job["lock_token"], &job["next_run_at"]), (&json!(1), &json!(null)));
        assert_eq!(messages(&ada, &path).await.len(), 1);
    }
    process.terminate();
    process.ended().await;
}

/// A connection on which the service waits for the body of `POST /jobs`.
async fn begin_to_post(caller: &Client, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(caller.address).await.unwrap();
    let head = format!(
        "POST /jobs HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nexpect: 100-continue\r\n\r\n",
        caller.address,
        caller.authorization.as_deref().unwrap_or_default(),
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // It says so when a handler asks for the body: from here on the request is in hand.
    let expected = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut told = [0; 25];
    assert_eq!(stream.read_exact(&mut told).await.unwrap(), expected.len());
    assert_eq!(&told, expected);
    stream
}

#[test]
fn what_it_cannot_use_it_says() {
    let directory = tempfile::tempdir().unwrap();
    let url = "mysql://ada:sesame@localhost/service";
    let output = program(directory.path(), Some(url)).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("postgres://") && !told.contains("sesame"), "{told}");

    let unknown = program(directory.path(), None).args(["user", "--name", "Ada", "--scope", "all"]).output();
    let told = String::from_utf8_lossy(&unknown.unwrap().stderr).into_owned();
    assert!(told.contains("jobs:read, jobs:write"), "{told}");
    assert_eq!(directory.path().read_dir().unwrap().count(), 0, "nothing was made");
}
