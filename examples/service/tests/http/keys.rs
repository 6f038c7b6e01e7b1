//! Keys that are good, and keys that are not.

use larder::prelude::*;
use serde_json::json;

use crate::{
    client::Client,
    service::{Database, Service, on_both},
};

on_both!(a_caller_without_a_good_key_is_not_told_why, a_key_allows_what_it_says);

async fn a_caller_without_a_good_key_is_not_told_why(database: Database) {
    let service = Service::start(&database.url()).await;
    let issued = service.issue(&job_service::SCOPES).await;
    let good = Client::with_key(service.address, issued.token.expose());
    good.get("/jobs").await.expect(200);
    let lower_case = Some(format!("bearer {}", issued.token.expose()));
    Client { authorization: lower_case, ..good.clone() }.get("/jobs").await.expect(200);

    let other = service.issue(&job_service::SCOPES).await;
    let (key, secret) = (&issued.api_key.key, other.token.expose().split_once('.').unwrap().1);
    let keys = service.larder.user(issued.api_key.user_id).api_keys();
    keys.revoke(issued.api_key.id).await.unwrap();
    let bad = [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer nonsense".to_owned()),
        Some(format!("Bearer {key}.{secret}")),
        Some(format!("Basic {}", other.token.expose())),
        good.authorization.clone(),
    ];
    let mut answers = Vec::new();
    for authorization in bad {
        let caller = Client { authorization, ..good.clone() };
        // Before anything else is looked at: not even the body.
        let answer = caller.send("POST", "/jobs", Some("{".to_owned())).await;
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        answers.push(answer.body.clone());
        answer.problem(401);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    Client { authorization: None, ..good }.get("/health").await.expect(200);
    service.stopped().await;
}

async fn a_key_allows_what_it_says(database: Database) {
    let service = Service::start(&database.url()).await;
    let issued = service.issue(&["jobs:read"]).await;
    let reader = Client::with_key(service.address, issued.token.expose());
    let keys = service.larder.user(issued.api_key.user_id).api_keys();
    let writes = NewApiKey { scopes: vec!["jobs:write".to_owned()], ..NewApiKey::new("writes") };
    let writer = keys.issue(writes).await.unwrap();
    let writer = Client::with_key(service.address, writer.token.expose());

    let new = json!({"definition": "Water the plants"});
    assert_eq!(reader.post("/jobs", new.clone()).await.problem(403), "this key does not allow jobs:write");
    let job = writer.post("/jobs", new).await.expect(201);
    let path = format!("/jobs/{}", job["id"].as_str().unwrap());
    assert_eq!(reader.get(&path).await.expect(200), job);

    for (method, suffix) in [
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/activate"),
        ("POST", "/pause"),
        ("POST", "/archive"),
        ("POST", "/messages"),
    ] {
        reader.send(method, &format!("{path}{suffix}"), Some("{}".to_owned())).await.problem(403);
    }
    for read in ["/jobs", &path, &format!("{path}/messages")] {
        assert_eq!(writer.get(read).await.problem(403), "this key does not allow jobs:read");
    }
    assert_eq!(reader.get(&path).await.expect(200), job);
    service.stopped().await;
}
