//! Endpoints: what a job calls, and within which limits.

use larder::{Change, Error, Result, UserScope, model::*};
use serde_json::{Value as Json, from_value, json, to_value};

use crate::{World, expect::assert_invalid_for};

cases! {
    /// An endpoint of which only the name and the URL are said has the defaults of the model, whether it is made in Rust
    /// or read from JSON.
    #[covers(14)]
    async fn what_is_not_said_has_its_default(world: World) {
        let (ada, job) = a_job(&world).await?;
        let new = NewEndpoint::new(job, "weather", "https://example.org/weather");
        let read: NewEndpoint = from_value(input(job))?;
        assert_eq!(read, new);
        for new in [new, read] {
            let endpoint = ada.endpoints().create(new).await?;
            let expected = Endpoint {
                id: endpoint.id,
                user_id: ada.owner().into(),
                job_id: job,
                name: "weather".into(),
                url: "https://example.org/weather".into(),
                method: HttpMethod::Get,
                headers: Default::default(),
                bearer_token: None,
                request_schema: None,
                timeout_ms: 5_000,
                fire_and_forget: false,
                max_request_bytes: 1024 * 1024,
                max_response_bytes: 5 * 1024 * 1024,
                created_at: world.now(),
                updated_at: world.now(),
            };
            assert_eq!(ada.endpoints().get(endpoint.id).await?, Some(expected));
        }
    }

    /// A value that breaks a rule, as a caller sends it, is refused for its field with the reason: in a new endpoint, in a
    /// patch, and beside others that are right. Nothing is written.
    #[covers(4)]
    async fn a_broken_rule_names_its_field_and_says_why(world: World) {
        let (ada, job) = a_job(&world).await?;
        let there = ada.endpoints().create(from_value(input(job))?).await?;
        for (field, value, why) in broken() {
            let what = format!("{field} = {}", value.to_string().chars().take(60).collect::<String>());
            let mut new = input(job);
            new[field] = value.clone();
            let created = ada.endpoints().create(from_value(new)?).await;
            assert_says_why(&created, why);
            assert_invalid_for(created, field, &what);
            let patch: EndpointPatch = from_value(json!({"name": "changed", field: value}))?;
            let updated = ada.endpoints().update(there.id, patch).await;
            assert_says_why(&updated, why);
            assert_invalid_for(updated, field, &what);
        }
        assert_eq!(ada.endpoints().list(ListEndpoints::default()).await?.items, [there]);
    }

    /// The limits themselves are allowed.
    #[covers(4)]
    async fn a_value_at_a_limit_is_kept(world: World) {
        let (ada, job) = a_job(&world).await?;
        let (least, most) = (
            json!({"job_id": job, "name": "n", "url": "http://h", "bearer_token": "t", "timeout_ms": 1_000,
                "max_request_bytes": 1_024, "max_response_bytes": 1_024}),
            json!({"job_id": job, "name": "é".repeat(255), "url": format!("https://h/{}", "u".repeat(2038)),
                "bearer_token": "t".repeat(4096), "timeout_ms": 30_000,
                "max_request_bytes": 10 * 1024 * 1024, "max_response_bytes": 50 * 1024 * 1024}),
        );
        for new in [least, most] {
            let endpoint = ada.endpoints().create(from_value(new.clone())?).await?;
            assert_eq!(ada.endpoints().get(endpoint.id).await?.as_ref(), Some(&endpoint));
            let token = endpoint.bearer_token.as_ref().map(|token| json!(token.expose()));
            assert_eq!(token.as_ref(), Some(&new["bearer_token"]));
            let shown = to_value(&endpoint)?;
            for (field, value) in new.as_object().unwrap().iter().filter(|(field, _)| *field != "bearer_token") {
                assert_eq!(&shown[field], value, "{field}");
            }
        }
    }

    /// What serde reads is refused when it is of another kind than the field.
    #[covers(4)]
    async fn a_value_of_another_kind_is_refused_when_it_is_read(world: World) {
        let (_, job) = a_job(&world).await?;
        for (field, value, why) in [
            ("method", json!("TRACE"), "OPTIONS"),
            ("method", json!("get"), "OPTIONS"),
            ("headers", json!([]), "map"),
            ("headers", json!({"accept": 1}), "string"),
            ("headers", Json::Null, "map"),
            ("timeout_ms", json!(1.5), "floating point"),
            ("timeout_ms", Json::Null, "null"),
            ("fire_and_forget", json!("yes"), "boolean"),
            ("name", Json::Null, "null"),
        ] {
            let mut new = input(job);
            new[field] = value.clone();
            let refused = from_value::<NewEndpoint>(new).unwrap_err().to_string();
            assert!(refused.contains(why), "{field} = {value}: {refused}");
            let refused = from_value::<EndpointPatch>(json!({field: value.clone()})).unwrap_err().to_string();
            assert!(refused.contains(why), "{field} = {value}: {refused}");
        }
    }

    /// The bearer token is stored as it is, and seen nowhere: not in `Debug`, not in JSON, not in errors, of the endpoint,
    /// of its companions and of a job with its relations. A patch leaves it, takes it away and replaces it.
    #[covers(23, 42)]
    async fn the_bearer_token_is_kept_and_never_shown(world: World) {
        let (ada, job) = a_job(&world).await?;
        let new = NewEndpoint {
            bearer_token: Some(TOKEN.into()),
            ..NewEndpoint::new(job, "weather", "https://example.org/")
        };
        let patch = EndpointPatch { bearer_token: Some(TOKEN.into()).into(), ..EndpointPatch::default() };
        let mut seen = format!("{new:?} {patch:?}");
        let endpoint = ada.endpoints().create(new).await?;
        let with = ada.jobs().get_with(job, JobRelations::all()).await?;
        seen += &format!("{endpoint:?} {with:?} {} {}", to_value(&endpoint)?, to_value(&with)?);
        let too_long = Some(TOKEN.repeat(1000).into());
        let too_long = EndpointPatch { bearer_token: too_long.into(), ..EndpointPatch::default() };
        let refused = ada.endpoints().update(endpoint.id, too_long).await.unwrap_err();
        seen += &format!("{refused} {refused:?}");
        assert!(!seen.contains(TOKEN), "{seen}");
        assert!(to_value(&endpoint)?.get("bearer_token").is_none());

        let renamed = EndpointPatch { name: Change::Set("renamed".into()), ..EndpointPatch::default() };
        let none = EndpointPatch { bearer_token: Change::Set(None), ..EndpointPatch::default() };
        for (patch, token) in [(renamed, Some(TOKEN)), (none, None), (patch, Some(TOKEN))] {
            ada.endpoints().update(endpoint.id, patch).await?;
            let there = ada.endpoints().get(endpoint.id).await?.and_then(|endpoint| endpoint.bearer_token);
            assert_eq!(there.as_ref().map(|token| token.expose().as_str()), token);
        }
    }

    /// Headers are read as they were written: names and values of any text, none, many; by themselves and as a patch. NUL
    /// is `Invalid` for `headers`.
    #[covers(6, 8)]
    async fn headers_are_read_as_they_were_written(world: World) {
        let (ada, job) = a_job(&world).await?;
        let endpoint = ada.endpoints().create(from_value(input(job))?).await?;
        let many: serde_json::Map<_, _> = (0..500).map(|n| (format!("x-{n}"), json!(n.to_string()))).collect();
        for headers in [
            json!({}),
            json!({"accept": "text/html", "Accept": "*/*", "": "", "x": "1e2", "ключ": "שלום 😀\r\n\"\\'"}),
            Json::Object(many),
        ] {
            let mut new = input(job);
            new["headers"] = headers.clone();
            let created = ada.endpoints().create(from_value(new)?).await?;
            let updated = ada.endpoints().update(endpoint.id, from_value(json!({"headers": headers.clone()}))?).await?;
            for id in [created.id, updated.id] {
                let there = ada.endpoints().get(id).await?.unwrap();
                assert_eq!(to_value(&there.headers)?, headers);
                assert_eq!(to_value(&there)?["headers"], headers);
            }
        }
        for headers in [json!({"a\0b": "c"}), json!({"a": "b\0c"})] {
            let patch = from_value(json!({"headers": headers.clone()}))?;
            assert_invalid_for(ada.endpoints().update(endpoint.id, patch).await, "headers", &headers);
        }
    }
}

const TOKEN: &str = "correct-horse-battery-staple";

async fn a_job(world: &World) -> Result<(UserScope, JobId)> {
    let ada = world.user("Ada").await?;
    let job = ada.jobs().create(NewJob::new("Tell me the weather")).await?.id;
    Ok((ada, job))
}

/// A new endpoint as a caller sends it.
fn input(job: JobId) -> Json {
    json!({"job_id": job, "name": "weather", "url": "https://example.org/weather"})
}

/// Values that break a rule, with words of the reason.
fn broken() -> Vec<(&'static str, Json, &'static str)> {
    const TIMEOUT: &str = "from 1000 to 30000";
    const REQUEST: &str = "from 1024 to 10485760";
    const RESPONSE: &str = "from 1024 to 52428800";
    const URL: &str = "http:// or https://";
    vec![
        ("timeout_ms", json!(999), TIMEOUT),
        ("timeout_ms", json!(30_001), TIMEOUT),
        ("timeout_ms", json!(0), TIMEOUT),
        ("timeout_ms", json!(-5_000), TIMEOUT),
        ("timeout_ms", json!(i64::MAX), TIMEOUT),
        ("max_request_bytes", json!(1_023), REQUEST),
        ("max_request_bytes", json!(10 * 1024 * 1024 + 1), REQUEST),
        ("max_request_bytes", json!(i64::MIN), REQUEST),
        ("max_response_bytes", json!(1_023), RESPONSE),
        ("max_response_bytes", json!(50 * 1024 * 1024 + 1), RESPONSE),
        ("max_response_bytes", json!(-1), RESPONSE),
        ("url", json!(""), "1 to 2048 characters"),
        ("url", json!("example.org"), URL),
        ("url", json!("//example.org"), URL),
        ("url", json!("ftp://example.org"), URL),
        ("url", json!("javascript:alert(1)"), URL),
        ("url", json!("HTTPS:\\\\example.org"), URL),
        ("url", json!("https://"), URL),
        ("url", json!("https://exa mple.org"), URL),
        ("url", json!(" https://example.org"), URL),
        ("url", json!(format!("https://h/{}", "u".repeat(2039))), "1 to 2048 characters"),
        ("url", json!("https://example.org/\0"), "NUL"),
        ("name", json!(""), "1 to 255 characters"),
        ("name", json!("é".repeat(256)), "1 to 255 characters"),
        ("name", json!("a\0b"), "NUL"),
        ("bearer_token", json!(""), "1 to 4096 characters"),
        ("bearer_token", json!("t".repeat(4097)), "1 to 4096 characters"),
        ("request_schema", json!({"a": "\0"}), "NUL"),
    ]
}

#[track_caller]
fn assert_says_why<T: std::fmt::Debug>(result: &Result<T>, why: &str) {
    let said = result.as_ref().map_err(Error::to_string);
    assert!(said.as_ref().is_err_and(|said| said.contains(why)), "`{why}` should be said: {said:?}");
}
