//! What a caller is told when a request is wrong, or the database is.

use http_body_util::Full;
use hyper::{Request, header::AUTHORIZATION};
use larder::prelude::*;
use larder_testing::{Postgres, Proxy, poll_until};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{
    client::{Answer, Client},
    service::{Database, PATIENCE, Service, on_both},
};

on_both!(
    what_breaks_a_rule_is_named,
    what_is_no_request_is_refused,
    what_is_too_large_is_refused,
    a_path_or_method_that_is_not_there,
);

async fn what_breaks_a_rule_is_named(database: Database) {
    let service = Service::start(&database.url()).await;
    let ada = service.user().await;
    let job = ada.post("/jobs", json!({"definition": "Water the plants"})).await.expect(201);
    let path = format!("/jobs/{}", job["id"].as_str().unwrap());

    let short = ada.post("/jobs", json!({"definition": "Hi"})).await;
    assert_eq!(short.body["field"], "definition");
    assert!(short.body["reason"].as_str().unwrap().contains('5'), "{}", short.body);
    short.problem(422);
    for (answer, field) in [
        (ada.patch(&path, json!({})).await, "patch"),
        (ada.patch(&path, json!({"definition": "x".repeat(1001)})).await, "definition"),
        (ada.get("/jobs?page=0").await, "page"),
        (ada.get("/jobs?page_size=101").await, "page_size"),
        (ada.get("/jobs?cursor=nonsense").await, "cursor"),
        (ada.get(&format!("{path}/messages?page_size=0")).await, "page_size"),
        (ada.get(&format!("{path}/messages?cursor={}", job["id"].as_str().unwrap())).await, "cursor"),
    ] {
        assert_eq!(answer.body["field"], field);
        answer.problem(422);
    }
    assert_eq!(ada.get(&path).await.expect(200), job);
    service.stopped().await;
}

/// Asserts that a request was refused with this status and a detail that says this.
#[track_caller]
fn assert_refused(answer: Answer, status: u16, says: &str) {
    let detail = answer.problem(status);
    assert!(detail.contains(says), "{detail}");
}

async fn what_is_no_request_is_refused(database: Database) {
    let service = Service::start(&database.url()).await;
    let ada = service.user().await;
    let job = ada.post("/jobs", json!({"definition": "Water the plants"})).await.expect(201);
    let path = format!("/jobs/{}", job["id"].as_str().unwrap());
    let messages = format!("{path}/messages");

    let new = |field: &str, value: Value| {
        let mut new = json!({"definition": "Water the plants"});
        new[field] = value;
        new
    };
    assert_refused(ada.post("/jobs", new("colour", json!("red"))).await, 422, "unknown field `colour`");
    for managed in ["id", "user_id", "lock_token", "total_tokens", "created_at"] {
        let says = format!("unknown field `{managed}`");
        assert_refused(ada.post("/jobs", new(managed, json!("7"))).await, 422, &says);
        assert_refused(ada.patch(&path, json!({managed: "7"})).await, 422, &says);
    }
    assert_refused(ada.post("/jobs", json!({})).await, 422, "missing field `definition`");
    assert_refused(ada.patch(&path, json!({"status": "RUNNING"})).await, 422, "ARCHIVED");
    assert_refused(ada.patch(&path, json!({"definition": null})).await, 422, "definition");
    let sourced = json!({"role": "user", "content": "hi", "source": "scheduler"});
    assert_refused(ada.post(&messages, sourced).await, 422, "unknown field `source`");
    assert_refused(ada.post(&messages, json!({"role": "user", "content": 7})).await, 422, "content");

    assert_refused(ada.send("POST", "/jobs", Some("{\"definition\":".to_owned())).await, 400, "line 1");
    assert_refused(ada.send("POST", "/jobs", Some(String::new())).await, 400, "EOF");
    assert_refused(ada.send("POST", "/jobs", None).await, 415, "application/json");
    assert_refused(ada.get("/jobs?colour=red").await, 400, "unknown field `colour`");
    assert_refused(ada.get("/jobs?page=-1").await, 400, "page");
    assert_refused(ada.get("/jobs?sort_by=lock_token").await, 400, "lock_token");
    assert_refused(ada.get("/jobs/nonsense").await, 400, "not a UUID");

    assert_eq!(ada.get("/jobs").await.expect(200)["items"], json!([job]));
    service.stopped().await;
}

async fn what_is_too_large_is_refused(database: Database) {
    let service = Service::start(&database.url()).await;
    let ada = service.user().await;
    let job = ada.post("/jobs", json!({"definition": "Water the plants"})).await.expect(201);
    let messages = format!("/jobs/{}/messages", job["id"].as_str().unwrap());

    let of_length = |length: usize| {
        let around = json!({"role": "user", "content": ""}).to_string().len();
        json!({"role": "user", "content": "x".repeat(length - around)})
    };
    ada.post(&messages, of_length(256 * 1024)).await.expect(201);
    assert_refused(ada.post(&messages, of_length(256 * 1024 + 1)).await, 413, "length limit");
    assert_eq!(ada.get(&messages).await.expect(200)["items"].as_array().unwrap().len(), 1);
    service.stopped().await;
}

async fn a_path_or_method_that_is_not_there(database: Database) {
    let service = Service::start(&database.url()).await;
    let ada = service.user().await;
    for path in ["/", "/job", "/jobs/", "/jobs/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b/start"] {
        assert_refused(ada.get(path).await, 404, "nothing at this path");
    }
    let answer = ada.send("DELETE", "/jobs", None).await;
    assert_eq!(answer.headers["allow"], "GET,HEAD,POST");
    assert_refused(answer, 405, "method");

    let not_a_text = Request::builder().uri("/jobs").header(AUTHORIZATION, &b"Bearer \xff"[..]);
    ada.exchange(not_a_text.body(Full::default()).unwrap()).await.problem(401);
    service.stopped().await;
}

/// Asserts that a job is refused for now, and nothing told that is nobody's business.
async fn assert_put_off(caller: &Client) {
    let answer = caller.post("/jobs", json!({"definition": "Water the plants"})).await;
    assert_eq!(answer.headers["retry-after"], "1", "{}", answer.body);
    let detail = answer.problem(503);
    assert!(detail.starts_with("the database"), "{detail}");
}

#[tokio::test]
async fn a_busy_database_is_tried_again_later() {
    let database = Database::libsql();
    let service = Service::start(&format!("{}?busy_timeout=1ms", database.url())).await;
    let ada = service.user().await;
    ada.get("/jobs").await.expect(200);

    let other = Larder::open(&database.url()).await.unwrap();
    let (holds, held) = oneshot::channel();
    let (release, released) = oneshot::channel::<()>();
    let holder = tokio::spawn(async move {
        let mut both = Some((holds, released));
        let system = other.system();
        let held = system.transaction(|_| {
            let both = both.take();
            async move {
                let (holds, released) = both.expect("it holds the lock at the first attempt");
                holds.send(()).unwrap();
                released.await.unwrap();
                Ok(())
            }
        });
        held.await.unwrap();
        other.close().await.unwrap();
    });
    held.await.unwrap();
    assert_put_off(&ada).await;
    ada.get("/jobs").await.expect(200);

    release.send(()).unwrap();
    holder.await.unwrap();
    ada.post("/jobs", json!({"definition": "Water the plants"})).await.expect(201);
    service.stopped().await;
}

#[tokio::test]
async fn a_database_that_is_away_is_tried_again_later() {
    let database = Postgres::shared().await.unwrap().database().await.unwrap();
    let proxy = Proxy::start(database.address().unwrap()).await.unwrap();
    let service = Service::start(&database.url_through(proxy.address()).unwrap()).await;
    let ada = service.user().await;
    ada.get("/jobs").await.expect(200);

    proxy.refuse(true).await.unwrap();
    proxy.cut();
    assert_put_off(&ada).await;
    let health = ada.get("/health").await;
    assert_eq!(health.headers["retry-after"], "1");
    health.problem(503);

    proxy.refuse(false).await.unwrap();
    let well = async || (ada.get("/health").await.status == 200).then_some(());
    poll_until(PATIENCE, "the database is there again", well).await.unwrap();
    ada.post("/jobs", json!({"definition": "Water the plants"})).await.expect(201);
    service.stopped().await;
}
