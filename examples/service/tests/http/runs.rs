//! The worker, as a caller sees it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta};
use job_service::{Failure, Ran, Runner, Settings};
use larder::prelude::*;
use larder_testing::poll_until;
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::Semaphore};

use crate::{
    client::Client,
    service::{Database, FIRST_RETRY, PATIENCE, Service, on_both, settings},
};

on_both!(
    a_due_job_is_run_once,
    a_run_that_fails_is_tried_again_later_each_time,
    stopping_ends_what_is_in_hand,
    a_run_that_takes_too_long_has_failed,
    stopping_gives_up_what_takes_too_long,
);

const LONG_AGO: &str = "2026-01-02T03:04:05Z";

/// A job that is due; its path.
pub(crate) async fn due_job(caller: &Client, definition: &str) -> String {
    let new = json!({"definition": definition, "status": "ACTIVE", "next_run_at": LONG_AGO});
    let job = caller.post("/jobs", new).await.expect(201);
    format!("/jobs/{}", job["id"].as_str().unwrap())
}

/// The job, as soon as this is true of it.
pub(crate) async fn job_when(caller: &Client, path: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let look = async || Some(caller.get(path).await.expect(200)).filter(|job| is(job));
    poll_until(PATIENCE, what, look).await.unwrap()
}

pub(crate) async fn messages(caller: &Client, path: &str) -> Vec<Value> {
    let page = caller.get(&format!("{path}/messages?page_size=100")).await.expect(200);
    page["items"].as_array().unwrap().clone()
}

fn time(value: &Value) -> DateTime<chrono::Utc> {
    value.as_str().unwrap().parse().unwrap()
}

async fn a_due_job_is_run_once(database: Database) {
    let service = Service::start(&database.url()).await;
    let ada = service.user().await;
    let path = due_job(&ada, "Water the plants").await;

    let job = job_when(&ada, &path, "it is run", |job| job["total_tokens"] != 0).await;
    assert_eq!((&job["next_run_at"], &job["locked_until"]), (&json!(null), &json!(null)));
    assert_eq!((&job["status"], &job["lock_token"]), (&json!("ACTIVE"), &json!(1)));
    assert_eq!((&job["input_tokens"], &job["output_tokens"]), (&json!(3), &json!(7)));
    let said = messages(&ada, &path).await;
    assert_eq!(said.len(), 1);
    assert_eq!(said[0]["content"], "Done: Water the plants (messages read: 0)");
    assert_eq!((&said[0]["role"], &said[0]["source"]), (&json!("assistant"), &json!("scheduler")));

    ada.patch(&path, json!({"next_run_at": LONG_AGO})).await.expect(200);
    let job = job_when(&ada, &path, "it is run again", |job| job["total_tokens"] == 20).await;
    assert_eq!((&job["next_run_at"], &job["lock_token"]), (&json!(null), &json!(2)));
    assert_eq!(messages(&ada, &path).await.len(), 2);

    let paused = json!({"definition": "Feed the cat", "next_run_at": LONG_AGO});
    let paused = ada.post("/jobs", paused).await.expect(201);
    // When a job that became due later has been run, the paused one has been passed over.
    let later = due_job(&ada, "Water the roses").await;
    job_when(&ada, &later, "the later one is run", |job| job["total_tokens"] != 0).await;
    assert_eq!(ada.get(&format!("/jobs/{}", paused["id"].as_str().unwrap())).await.expect(200), paused);
    service.stopped().await;
}

/// Fails until it is told not to.
struct Moody(Arc<AtomicBool>);

impl Runner for Moody {
    async fn run(&self, _: &UserScope, _: &Job) -> Result<Ran, Failure> {
        if self.0.load(Ordering::Relaxed) {
            return Ok(Ran { said: "Done".into(), usage: TokenUsage::default(), next_run_at: None });
        }
        Err("the model at 10.0.0.7 has gone away".into())
    }
}

async fn a_run_that_fails_is_tried_again_later_each_time(database: Database) {
    let mood = Arc::new(AtomicBool::new(false));
    let service = Service::running(&database.url(), Moody(Arc::clone(&mood))).await;
    let ada = service.user().await;
    let path = due_job(&ada, "Water the plants").await;

    for (attempt, doubled) in [(1, 1), (2, 2), (3, 4)] {
        let failed = |job: &Value| job["lock_token"] == attempt && job["locked_until"] == json!(null);
        let job = job_when(&ada, &path, "it has failed", failed).await;
        let said = messages(&ada, &path).await;
        assert_eq!(said.len(), attempt);
        let last = &said[attempt - 1];
        assert_eq!(last["source"], "error-handler");
        assert!(!last["content"].as_str().unwrap().contains("10.0.0.7"), "{last}");
        // What was written at the same moment: only the clock ticks between the two.
        let pause = time(&job["next_run_at"]) - time(&last["created_at"]);
        let expected = TimeDelta::from_std(FIRST_RETRY * doubled).unwrap();
        assert!(pause <= expected && pause > expected - TimeDelta::minutes(5), "{attempt}: {pause}");
        if attempt == 3 {
            mood.store(true, Ordering::Relaxed);
        }
        ada.patch(&path, json!({"next_run_at": LONG_AGO})).await.expect(200);
    }
    let job = job_when(&ada, &path, "it has gone well", |job| job["next_run_at"] == json!(null)).await;
    assert_eq!(job["lock_token"], 4);
    assert_eq!(messages(&ada, &path).await.len(), 4);
    service.stopped().await;
}

/// Takes as long as the test wants.
struct Patient(Arc<Semaphore>);

impl Runner for Patient {
    async fn run(&self, _: &UserScope, _: &Job) -> Result<Ran, Failure> {
        self.0.acquire().await?.forget();
        let usage = TokenUsage { total: 7, ..TokenUsage::default() };
        Ok(Ran { said: "Done".into(), usage, next_run_at: None })
    }
}

async fn stopping_ends_what_is_in_hand(database: Database) {
    let gate = Arc::new(Semaphore::new(0));
    let service = Service::running(&database.url(), Patient(Arc::clone(&gate))).await;
    let ada = service.user().await;
    let (in_hand, rescheduled) =
        (due_job(&ada, "Water the plants").await, due_job(&ada, "Feed the cat").await);
    for path in [&in_hand, &rescheduled] {
        job_when(&ada, path, "it is in hand", |job| job["lock_token"] == 1).await;
    }
    // What the user says while a job is in hand is not undone by its end.
    let later = "2999-01-02T03:04:05Z";
    ada.patch(&rescheduled, json!({"next_run_at": later})).await.expect(200);

    service.tell_to_stop();
    let refused = async || TcpStream::connect(service.address).await.is_err().then_some(());
    poll_until(PATIENCE, "nothing new is accepted", refused).await.unwrap();
    gate.add_permits(2);
    service.stopped().await;

    // The next process finds everything written.
    let service = Service::running(&database.url(), Patient(gate)).await;
    let ada = Client { address: service.address, ..ada };
    for (path, due) in [(in_hand, json!(null)), (rescheduled, json!(later))] {
        let job = ada.get(&path).await.expect(200);
        assert_eq!((&job["next_run_at"], &job["locked_until"]), (&due, &json!(null)));
        assert_eq!((&job["total_tokens"], &job["lock_token"]), (&json!(7), &json!(1)));
        assert_eq!(messages(&ada, &path).await.len(), 1);
    }
    service.stopped().await;
}

async fn a_run_that_takes_too_long_has_failed(database: Database) {
    let never = Patient(Arc::new(Semaphore::new(0)));
    let settings = Settings { run_limit: Duration::from_millis(10), ..settings() };
    let service = Service::with(&database.url(), never, settings).await;
    let ada = service.user().await;
    let path = due_job(&ada, "Water the plants").await;

    let ended = |job: &Value| job["lock_token"] == 1 && job["locked_until"] == json!(null);
    let job = job_when(&ada, &path, "it has failed", ended).await;
    assert!(job["next_run_at"].is_string(), "{job}");
    assert_eq!(messages(&ada, &path).await[0]["source"], "error-handler");
    service.stopped().await;
}

async fn stopping_gives_up_what_takes_too_long(database: Database) {
    let never = Patient(Arc::new(Semaphore::new(0)));
    let settings = Settings { drain: Duration::from_millis(10), ..settings() };
    let service = Service::with(&database.url(), never, settings).await;
    let ada = service.user().await;
    let path = due_job(&ada, "Water the plants").await;
    job_when(&ada, &path, "it is in hand", |job| job["lock_token"] == 1).await;
    service.stopped().await;

    // It stays claimed until the lease ends, and is due then: another worker will run it.
    let service = Service::start(&database.url()).await;
    let ada = Client { address: service.address, ..ada };
    let job = ada.get(&path).await.expect(200);
    assert_eq!((&job["status"], &job["next_run_at"]), (&json!("ACTIVE"), &json!(LONG_AGO)));
    assert!(time(&job["locked_until"]) > time(&job["created_at"]), "{job}");
    assert_eq!(messages(&ada, &path).await, Vec::<Value>::new());
    service.stopped().await;
}
