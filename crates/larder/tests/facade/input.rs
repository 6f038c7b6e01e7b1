//! What a caller sends as JSON.

use larder::{Change, prelude::*};
use serde::de::DeserializeOwned;
use serde_json::{Value, from_value, json};

use crate::databases::assert_invalid;

/// What serde says to an input that it refuses.
#[track_caller]
fn refusal<T: DeserializeOwned + std::fmt::Debug>(input: Value) -> String {
    from_value::<T>(input).unwrap_err().to_string()
}

/// An object with one field more than `base`.
fn with(mut base: Value, field: &str, value: Value) -> Value {
    base[field] = value;
    base
}

#[test]
fn an_id_that_is_no_uuid() {
    for text in
        ["", "7", "nonsense", "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5", "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5\0"]
    {
        assert_invalid(text.parse::<JobId>(), "Id", "id");
        let words = refusal::<JobId>(json!(text));
        assert!(words.contains("not a UUID"), "{words}");
        let words = refusal::<NewMessage>(json!({"job_id": text, "role": "user", "content": "hi"}));
        assert!(words.contains("not a UUID"), "{words}");
    }
    refusal::<JobId>(json!(7));
    refusal::<JobId>(json!(null));
}

#[test]
fn an_unknown_field_is_named() {
    let new = json!({"definition": "Water the plants"});
    from_value::<NewJob>(new.clone()).unwrap();
    for (words, field) in [
        (refusal::<NewJob>(with(new, "colour", json!("red"))), "colour"),
        (refusal::<JobPatch>(json!({"colour": "red"})), "colour"),
        (refusal::<ListJobs>(json!({"colour": "red"})), "colour"),
        (refusal::<NewUser>(json!({"nickname": "ada"})), "nickname"),
        (refusal::<UserPatch>(json!({"nickname": "ada"})), "nickname"),
    ] {
        assert!(words.contains(&format!("unknown field `{field}`")), "{words}");
    }
}

/// Ids, owner, times, lease and token counts are larder's; a row never moves to another parent.
#[test]
fn a_field_that_a_caller_may_not_set_is_refused() {
    let id = json!("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b");
    let time = json!("2026-01-02T03:04:05Z");
    let managed = [
        ("id", &id),
        ("user_id", &id),
        ("locked_until", &time),
        ("lock_owner", &json!("me")),
        ("lock_token", &json!(7)),
        ("input_tokens", &json!(7)),
        ("output_tokens", &json!(7)),
        ("reasoning_tokens", &json!(7)),
        ("cached_input_tokens", &json!(7)),
        ("total_tokens", &json!(7)),
        ("created_at", &time),
        ("updated_at", &time),
        ("definition_search", &json!("water")),
    ];
    for (field, value) in managed {
        let unknown = format!("unknown field `{field}`");
        let new = with(json!({"definition": "Water the plants"}), field, value.clone());
        assert!(refusal::<NewJob>(new).contains(&unknown), "{field}");
        assert!(refusal::<JobPatch>(json!({field: value})).contains(&unknown), "{field}");
    }
    for (field, value) in [("id", &id), ("user_id", &id), ("created_at", &time), ("updated_at", &time)] {
        let new = json!({"job_id": id, "role": "user", "content": "hi"});
        from_value::<NewMessage>(new.clone()).unwrap();
        refusal::<NewMessage>(with(new, field, value.clone()));
        refusal::<MessagePatch>(json!({field: value}));
        refusal::<NewUser>(json!({field: value}));
        refusal::<UserPatch>(json!({field: value}));
    }
    assert!(refusal::<MessagePatch>(json!({"job_id": id})).contains("unknown field `job_id`"));
}

#[test]
fn a_patch_tells_leave_null_and_value_apart() {
    let patch: JobPatch = from_value(json!({"next_run_at": null})).unwrap();
    assert_eq!(patch, JobPatch { next_run_at: Change::Set(None), ..JobPatch::default() });
    assert_eq!(from_value::<JobPatch>(json!({})).unwrap(), JobPatch::default());
    assert_eq!(from_value::<JobPatch>(serde_json::to_value(&patch).unwrap()).unwrap(), patch);
}

#[test]
fn null_for_a_field_that_is_not_nullable() {
    refusal::<JobPatch>(json!({"definition": null}));
    refusal::<JobPatch>(json!({"status": null}));
    refusal::<MessagePatch>(json!({"content": null}));
    refusal::<NewJob>(json!({"definition": null}));
}

#[test]
fn a_missing_field_and_a_value_of_another_kind() {
    assert!(refusal::<NewJob>(json!({})).contains("missing field `definition`"));
    let words = refusal::<JobPatch>(json!({"status": "RUNNING"}));
    assert!(words.contains("ACTIVE") && words.contains("PAUSED") && words.contains("ARCHIVED"), "{words}");
    refusal::<NewJob>(json!({"definition": 7}));
    refusal::<JobPatch>(json!({"next_run_at": "tomorrow"}));
    refusal::<ListJobs>(json!({"page": -1}));
    refusal::<ListJobs>(json!({"sort_by": "lock_token"}));
    refusal::<ListJobs>(json!({"sort_direction": "up"}));
    refusal::<NewMessage>(
        json!({"job_id": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "role": "user", "content": 7}),
    );
}
