//! The life of a job, and whose it is.

use serde_json::json;

use crate::service::{Database, Service, on_both};

on_both!(
    a_job_from_its_creation_to_its_end,
    messages_belong_to_a_job,
    another_users_job_is_not_there,
    pages_follow_each_other_by_cursor,
);

async fn a_job_from_its_creation_to_its_end(database: Database) {
    let service = Service::start(&database.url()).await;
    let ada = service.user().await;
    assert_eq!(ada.get("/health").await.expect(200), json!({"status": "ok"}));

    let created = ada.post("/jobs", json!({"definition": "Water the plants"})).await;
    let location = created.headers["location"].to_str().unwrap().to_owned();
    let job = created.expect(201);
    assert_eq!(location, format!("/jobs/{}", job["id"].as_str().unwrap()));
    assert_eq!(job["status"], "PAUSED");
    assert_eq!(ada.get(&location).await.expect(200), job);

    let due = "2999-01-02T03:04:05Z";
    let patched =
        ada.patch(&location, json!({"definition": "Water the roses", "next_run_at": due})).await.expect(200);
    assert_eq!((&patched["definition"], &patched["next_run_at"]), (&json!("Water the roses"), &json!(due)));
    let patched = ada.patch(&location, json!({"next_run_at": null})).await.expect(200);
    assert_eq!((&patched["definition"], &patched["next_run_at"]), (&json!("Water the roses"), &json!(null)));

    for (verb, status) in [("activate", "ACTIVE"), ("pause", "PAUSED"), ("archive", "ARCHIVED")] {
        let changed = ada.send("POST", &format!("{location}/{verb}"), None).await.expect(200);
        assert_eq!(changed["status"], status);
        assert_eq!(ada.get(&location).await.expect(200)["status"], status);
    }

    assert_eq!(ada.send("DELETE", &location, None).await.expect(204), json!(null));
    assert_eq!(ada.get(&location).await.problem(404), "Job not found");
    assert_eq!(ada.send("DELETE", &location, None).await.problem(404), "Job not found");
    service.stopped().await;
}

async fn messages_belong_to_a_job(database: Database) {
    let service = Service::start(&database.url()).await;
    let ada = service.user().await;
    let job = ada.post("/jobs", json!({"definition": "Water the plants"})).await.expect(201);
    let messages = format!("/jobs/{}/messages", job["id"].as_str().unwrap());
    assert_eq!(ada.get(&messages).await.expect(200)["items"], json!([]));

    let parts = json!([{"type": "text", "text": "hi"}, {"type": "hologram", "depth": 3}]);
    for content in [json!("one"), parts.clone(), json!("three")] {
        let said = ada.post(&messages, json!({"role": "user", "content": content})).await.expect(201);
        assert_eq!((&said["job_id"], &said["content"]), (&job["id"], &content));
    }

    let first = ada.get(&format!("{messages}?page_size=2")).await.expect(200);
    let contents = |page: &serde_json::Value| {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| item["content"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((contents(&first), &first["has_next"]), (vec![json!("one"), parts], &json!(true)));
    let cursor = first["next"].as_str().unwrap();
    let second = ada.get(&format!("{messages}?page_size=2&cursor={cursor}")).await.expect(200);
    assert_eq!((contents(&second), &second["has_next"]), (vec![json!("three")], &json!(false)));
    assert_eq!(second["next"], json!(null));

    let other = ada.post("/jobs", json!({"definition": "Feed the cat"})).await.expect(201);
    let other = format!("/jobs/{}/messages", other["id"].as_str().unwrap());
    assert_eq!(ada.get(&other).await.expect(200)["items"], json!([]));
    let refused = ada.get(&format!("{other}?cursor={cursor}")).await;
    assert_eq!(refused.body["field"], "cursor");
    refused.problem(422);
    service.stopped().await;
}

async fn another_users_job_is_not_there(database: Database) {
    let service = Service::start(&database.url()).await;
    let (ada, grace) = (service.user().await, service.user().await);
    let job = ada.post("/jobs", json!({"definition": "Water the plants"})).await.expect(201);
    let path = format!("/jobs/{}", job["id"].as_str().unwrap());

    for (method, path, body) in [
        ("GET", path.clone(), None),
        ("PATCH", path.clone(), Some(json!({"definition": "Mine now"}))),
        ("DELETE", path.clone(), None),
        ("POST", format!("{path}/activate"), None),
        ("POST", format!("{path}/pause"), None),
        ("POST", format!("{path}/archive"), None),
        ("GET", format!("{path}/messages"), None),
        ("POST", format!("{path}/messages"), Some(json!({"role": "user", "content": "hello"}))),
    ] {
        let body = body.map(|body| body.to_string());
        let nobodys = path.replace(job["id"].as_str().unwrap(), "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b");
        let absent = ada.send(method, &nobodys, body.clone()).await;
        let answer = grace.send(method, &path, body).await;
        assert_eq!(answer.body, absent.body, "{method} {path}");
        answer.problem(404);
    }
    assert_eq!(grace.get("/jobs").await.expect(200)["items"], json!([]));
    assert_eq!(ada.get(&path).await.expect(200), job);
    assert_eq!(ada.get(&format!("{path}/messages")).await.expect(200)["items"], json!([]));
    service.stopped().await;
}

async fn pages_follow_each_other_by_cursor(database: Database) {
    let service = Service::start(&database.url()).await;
    let ada = service.user().await;
    for number in 1..=7 {
        ada.post("/jobs", json!({"definition": format!("Water plant {number}")})).await.expect(201);
    }
    ada.post("/jobs", json!({"definition": "Feed the cat"})).await.expect(201);

    let list = "/jobs?search=WATER&status=PAUSED&sort_by=definition&sort_direction=asc&page_size=3";
    let (mut seen, mut path) = (Vec::new(), list.to_owned());
    loop {
        let page = ada.get(&path).await.expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        seen.extend(items.iter().map(|job| job["definition"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next"].as_str() else { break };
        path = format!("{list}&cursor={cursor}");
    }
    assert_eq!(seen, (1..=7).map(|number| format!("Water plant {number}")).collect::<Vec<_>>());

    let cursor = ada.get(list).await.expect(200)["next"].as_str().unwrap().to_owned();
    let refused = ada.get(&format!("/jobs?cursor={cursor}")).await;
    assert_eq!(refused.body["field"], "cursor");
    refused.problem(422);
    service.stopped().await;
}
