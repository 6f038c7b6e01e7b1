//! The facts of the model, stated once more as a table and held against the tables' metadata and against what serde reads:
//! what a caller may set, keys, indexes, defaults, rules, sort keys, search fields, lists.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests too")]

use std::fmt::Debug;

use chrono::DateTime;
use larder::{
    Condition, Entity, EntityPatch, ErrorKind, Literal, NewEntity, Result, Rule, Source, Stamp, Table,
    check_value, model::*,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, from_str, from_value, json, to_value};

/// The facts of an entity. Lists are names separated by spaces.
struct Facts {
    table: &'static str,
    /// The columns that may be NULL.
    nullable: &'static str,
    /// The primary key, then the unique keys.
    keys: &'static [&'static str],
    indexes: &'static [&'static str],
    /// The parents, each with the columns that refer to it.
    parents: &'static [&'static str],
    rules: &'static [&'static str],
    /// The defaults of all columns that have one.
    defaults: Json,
    /// What a new one needs at least.
    least: Json,
    /// What a caller may give beside that.
    optional: &'static str,
    /// What a patch may change.
    patch: &'static str,
    /// The sort keys, the default first.
    sort: &'static str,
    search: &'static str,
    /// What a list can be narrowed by.
    filter: &'static str,
}

const ID: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";

#[test]
fn user() {
    holds::<User>(&Facts {
        table: "users",
        nullable: "name email email_verified_at image",
        keys: &["id", "email"],
        indexes: &[],
        parents: &[],
        rules: &["name: 0 to 1000 characters", "email: e-mail address", "image: 0 to 2048 characters"],
        defaults: json!({}),
        least: json!({}),
        optional: "name email email_verified_at image",
        patch: "name email email_verified_at image",
        sort: "created_at name email updated_at",
        search: "name email",
        filter: "",
    });
}

#[test]
fn account() {
    holds::<Account>(&Facts {
        table: "accounts",
        nullable: "refresh_token access_token expires_at token_type scope id_token session_state",
        keys: &["provider provider_account_id"],
        indexes: &["user_id created_at provider provider_account_id"],
        parents: &["users by user_id"],
        rules: &[
            "provider: 1 to 255 characters",
            "provider_account_id: 1 to 255 characters",
            "refresh_token: 0 to 65536 characters",
            "access_token: 0 to 65536 characters",
            "token_type: 0 to 255 characters",
            "scope: 0 to 65536 characters",
            "id_token: 0 to 65536 characters",
            "session_state: 0 to 65536 characters",
        ],
        defaults: json!({}),
        least: json!({"kind": "oauth", "provider": "github", "provider_account_id": "7"}),
        optional: "refresh_token access_token expires_at token_type scope id_token session_state",
        patch: "refresh_token access_token expires_at token_type scope id_token session_state",
        sort: "created_at provider updated_at",
        search: "",
        filter: "kind provider",
    });
}

#[test]
fn session() {
    holds::<Session>(&Facts {
        table: "sessions",
        nullable: "",
        keys: &["session_token"],
        indexes: &["expires_at", "user_id created_at session_token"],
        parents: &["users by user_id"],
        rules: &["session_token: 1 to 512 characters"],
        defaults: json!({}),
        least: json!({"session_token": "sesame", "expires_at": "2026-01-02T03:04:05Z"}),
        optional: "",
        patch: "",
        sort: "created_at expires_at updated_at",
        search: "",
        filter: "",
    });
}

#[test]
fn verification_token() {
    holds::<VerificationToken>(&Facts {
        table: "verification_tokens",
        nullable: "",
        keys: &["identifier token"],
        indexes: &["expires_at"],
        parents: &[],
        rules: &["identifier: 1 to 320 characters", "token: 1 to 255 characters"],
        defaults: json!({}),
        least: json!({"identifier": "ada@example.org", "token": "sesame", "expires_at": "2026-01-02T03:04:05Z"}),
        optional: "",
        patch: "",
        sort: "identifier expires_at",
        search: "",
        filter: "identifier",
    });
}

#[test]
fn authenticator() {
    holds::<Authenticator>(&Facts {
        table: "authenticators",
        nullable: "transports",
        keys: &["user_id credential_id", "credential_id"],
        indexes: &[],
        parents: &["users by user_id"],
        rules: &[
            "credential_id: 1 to 1364 characters",
            "provider_account_id: 1 to 255 characters",
            "credential_public_key: 1 to 65536 characters",
            "counter: at least 0",
            "credential_device_type: 1 to 255 characters",
            "transports: 0 to 255 characters",
        ],
        defaults: json!({}),
        least: json!({
            "credential_id": "c", "provider_account_id": "7", "credential_public_key": "k", "counter": 0,
            "credential_device_type": "singleDevice", "credential_backed_up": false,
        }),
        optional: "transports",
        // The key that signs is the passkey, and its counter only goes forward.
        patch: "credential_device_type credential_backed_up transports",
        sort: "credential_id",
        search: "",
        filter: "",
    });
}

#[test]
fn api_key() {
    holds::<ApiKey>(&Facts {
        table: "api_keys",
        nullable: "description last_used_at expires_at revoked_at",
        keys: &["id", "key"],
        indexes: &["user_id created_at id"],
        parents: &["users by user_id"],
        rules: &[
            "name: 1 to 255 characters",
            "description: 0 to 1000 characters",
            "key: 24 to 24 characters",
        ],
        defaults: json!({"scopes": []}),
        least: json!({"name": "deploy"}),
        optional: "description scopes expires_at",
        patch: "name description scopes expires_at",
        sort: "created_at name last_used_at expires_at",
        search: "",
        filter: "",
    });
}

#[test]
fn job() {
    holds::<Job>(&Facts {
        table: "jobs",
        nullable: "next_run_at locked_until lock_owner",
        keys: &["id", "user_id id"],
        indexes: &["user_id created_at id", "next_run_at id where status = ACTIVE"],
        parents: &["users by user_id"],
        rules: &[
            "definition: 5 to 1000 characters",
            "lock_owner: 1 to 255 characters",
            "lock_token: at least 0",
            "input_tokens: at least 0",
            "output_tokens: at least 0",
            "reasoning_tokens: at least 0",
            "cached_input_tokens: at least 0",
            "total_tokens: at least 0",
        ],
        defaults: json!({
            "status": "PAUSED", "lock_token": 0, "input_tokens": 0, "output_tokens": 0, "reasoning_tokens": 0,
            "cached_input_tokens": 0, "total_tokens": 0,
        }),
        least: json!({"definition": "Water the plants"}),
        optional: "status next_run_at",
        patch: "definition status next_run_at",
        sort: "created_at definition next_run_at updated_at",
        search: "definition",
        filter: "status",
    });
}

#[test]
fn message() {
    holds::<Message>(&Facts {
        table: "messages",
        nullable: "source",
        keys: &["id"],
        indexes: &["job_id created_at id"],
        parents: &["jobs by user_id job_id"],
        rules: &[],
        defaults: json!({}),
        least: json!({"job_id": ID, "role": "user", "content": "hello"}),
        optional: "source",
        patch: "role content source",
        sort: "created_at role updated_at",
        search: "content",
        filter: "job_id role",
    });
}

#[test]
fn endpoint() {
    holds::<Endpoint>(&Facts {
        table: "endpoints",
        nullable: "bearer_token request_schema",
        keys: &["id"],
        indexes: &["job_id created_at id"],
        parents: &["jobs by user_id job_id"],
        rules: &[
            "name: 1 to 255 characters",
            "url: 1 to 2048 characters",
            "url: web address",
            "bearer_token: 1 to 4096 characters",
            "timeout_ms: 1000 to 30000",
            "max_request_bytes: 1024 to 10485760",
            "max_response_bytes: 1024 to 52428800",
        ],
        defaults: json!({
            "method": "GET", "headers": {}, "timeout_ms": 5000, "fire_and_forget": false,
            "max_request_bytes": 1_048_576, "max_response_bytes": 5_242_880,
        }),
        least: json!({"job_id": ID, "name": "weather", "url": "https://example.org"}),
        optional: "method headers bearer_token request_schema timeout_ms fire_and_forget max_request_bytes \
                   max_response_bytes",
        patch: "name url method headers bearer_token request_schema timeout_ms fire_and_forget \
                max_request_bytes max_response_bytes",
        sort: "created_at name updated_at",
        search: "name",
        filter: "job_id method",
    });
}

#[test]
fn context_entry() {
    holds::<ContextEntry>(&Facts {
        table: "context_entries",
        nullable: "",
        // With the owner in front: to put into another user's job is a missing parent then, and no conflict.
        keys: &["id", "user_id job_id key"],
        indexes: &["job_id created_at id"],
        parents: &["jobs by user_id job_id"],
        rules: &["key: 1 to 255 characters"],
        defaults: json!({}),
        least: json!({"job_id": ID, "key": "city", "value": "Oslo"}),
        optional: "",
        patch: "value",
        sort: "created_at key",
        search: "key value",
        filter: "job_id",
    });
}

#[test]
fn task() {
    holds::<Task>(&Facts {
        table: "tasks",
        nullable: "started_at finished_at error",
        keys: &["id"],
        indexes: &["job_id status", "job_id created_at id"],
        parents: &["jobs by user_id job_id"],
        rules: &["name: 1 to 500 characters", "error: 0 to 10000 characters"],
        defaults: json!({"status": "PENDING"}),
        least: json!({"job_id": ID, "name": "look out of the window"}),
        optional: "",
        // How far it has come is a matter of `start`, `complete` and `fail`.
        patch: "name",
        sort: "created_at name status updated_at",
        search: "name",
        filter: "job_id status",
    });
}

/// A table that is not stated above would be held against nothing.
#[test]
fn every_table_of_the_model_is_stated() {
    let this = include_str!("model.rs");
    for table in TABLES {
        assert!(this.contains(&format!("holds::<{}>(", table.entity)), "{} is not stated", table.entity);
    }
}

/// Holds the facts against the entity.
fn holds<E>(facts: &Facts)
where
    E: Entity,
    E::New: Serialize + DeserializeOwned + Debug,
    E::Patch: Serialize + DeserializeOwned + Debug,
    E::List: Serialize + DeserializeOwned + Debug + Default,
{
    the_table_is_as_stated(E::TABLE, facts);
    a_new_one_is_as_stated::<E::New>(facts);
    let written_by_larder = E::TABLE.visible().iter().map(|column| column.name);
    let refused: Vec<_> = written_by_larder.filter(|name| !words(facts.patch).contains(name)).collect();
    assert_eq!(known::<E::Patch>(json!({"?": 1})), sorted(words(facts.patch)), "a patch");
    for field in refused {
        let words = from_value::<E::Patch>(json!({field: null})).unwrap_err().to_string();
        assert!(words.contains(&format!("unknown field `{field}`")), "a patch: {words}");
    }
    a_list_is_as_stated::<E::List>(facts);
    what_breaks_a_rule_is_refused::<E>(facts);
}

/// What a caller sends that breaks a rule is refused with the field and the reason, in a new one and in a patch.
fn what_breaks_a_rule_is_refused<E>(facts: &Facts)
where
    E: Entity,
    E::New: DeserializeOwned + Debug,
    E::Patch: DeserializeOwned + Debug,
{
    let id = ID.parse::<UserId>().unwrap().uuid();
    let stamp = Stamp { id, owner: Some(id), now: DateTime::UNIX_EPOCH };
    for (position, column) in E::TABLE.visible().iter().enumerate() {
        let given = facts.least.get(column.name).is_some() || words(facts.optional).contains(&column.name);
        for (value, why) in column.all_rules().flat_map(|rule| broken(*rule)) {
            if given {
                let mut new = facts.least.clone();
                new[column.name] = value.clone();
                let values = from_value::<E::New>(new).unwrap().into_values(&stamp).unwrap();
                assert_refused(check_value(E::TABLE, position, &values[position]), column.name, &why);
            }
            if words(facts.patch).contains(&column.name) {
                let patch = from_value::<E::Patch>(json!({column.name: value})).unwrap();
                let changes = patch.into_changes().unwrap();
                let [(changed, value)] = &changes[..] else { panic!("one change: {changes:?}") };
                assert_eq!(*changed, position);
                assert_refused(check_value(E::TABLE, position, value), column.name, &why);
            }
        }
    }
}

/// Values that break a rule, and what the reason says.
fn broken(rule: Rule) -> Vec<(Json, String)> {
    let text = |length: u32| json!("é".repeat(length as usize));
    match rule {
        Rule::Length { min, max } => {
            let why = format!("{min} to {max} characters");
            let short = min.checked_sub(1).map(|length| (text(length), why.clone()));
            short.into_iter().chain([(text(max + 1), why)]).collect()
        }
        Rule::Range { min, max: i64::MAX } => vec![(json!(min - 1), format!("at least {min}"))],
        Rule::Range { min, max } => {
            let why = format!("from {min} to {max}");
            vec![(json!(min - 1), why.clone()), (json!(max + 1), why)]
        }
        Rule::Url => vec![(json!("ftp://example.org"), "http:// or https://".to_owned())],
        Rule::Email => vec![(json!("nobody"), "e-mail address".to_owned())],
    }
}

#[track_caller]
fn assert_refused(result: Result<()>, expected: &str, why: &str) {
    match result.unwrap_err().kind() {
        ErrorKind::Invalid { field, reason, .. } => {
            assert_eq!(field, expected);
            assert!(reason.contains(why), "{expected}: `{why}` should be said: {reason}");
        }
        other => panic!("{expected} should be Invalid: {other:?}"),
    }
}

fn the_table_is_as_stated(table: &'static Table, facts: &Facts) {
    assert_eq!(table.name, facts.table);
    let names = |columns: &[usize]| table.names(columns).replace(", ", " ");
    let column = |position: usize| table.columns[position].name;

    let keys: Vec<_> = table.keys().map(names).collect();
    assert_eq!(keys, facts.keys, "keys");
    let only = |only: Option<Condition>| {
        only.map_or(String::new(), |only| format!(" where {} = {}", column(only.column), text(only.equals)))
    };
    let indexes: Vec<_> =
        table.indexes.iter().map(|index| names(index.columns) + &only(index.only)).collect();
    assert_eq!(
        sorted(indexes.iter().map(String::as_str).collect()),
        sorted(facts.indexes.to_vec()),
        "indexes"
    );
    let parents = table.foreign_keys.iter();
    let parents: Vec<_> =
        parents.map(|key| format!("{} by {}", (key.parent)().name, names(key.columns))).collect();
    assert_eq!(parents, facts.parents, "parents");
    for parent in table.foreign_keys {
        let parents_id = parent.columns.last();
        let mut all = table.keys().chain(table.indexes.iter().map(|index| index.columns));
        let found = all.any(|columns| columns.starts_with(parent.columns) || columns.first() == parents_id);
        assert!(found, "{} has no index for {}", table.name, names(parent.columns));
    }

    let visible = table.visible();
    let nullable: Vec<_> =
        visible.iter().filter(|column| column.nullable).map(|column| column.name).collect();
    assert_eq!(nullable, words(facts.nullable), "nullable");
    let rules = visible.iter().flat_map(|column| column.all_rules().map(|rule| rule_of(column.name, *rule)));
    assert_eq!(rules.collect::<Vec<_>>(), facts.rules, "rules");
    let defaults =
        visible.iter().filter_map(|column| Some((column.name.to_owned(), json_of(column.default?))));
    assert_eq!(Json::Object(defaults.collect()), facts.defaults, "defaults");
    let searched: Vec<_> = table
        .search_columns()
        .filter_map(|position| match table.columns[position].source {
            Source::Folded { of, .. } => Some(column(of)),
            Source::Field => None,
        })
        .collect();
    assert_eq!(searched, words(facts.search), "search");
}

fn a_new_one_is_as_stated<N: Serialize + DeserializeOwned + Debug>(facts: &Facts) {
    let least = facts.least.as_object().unwrap();
    let mut given: Vec<_> = least.keys().map(String::as_str).collect();
    given.extend(words(facts.optional));
    assert_eq!(known::<N>(json!({"?": 1})), sorted(given.clone()), "a new one");
    for field in least.keys() {
        let mut less = least.clone();
        less.remove(field);
        let words = from_value::<N>(Json::Object(less)).unwrap_err().to_string();
        assert!(words.contains(&format!("missing field `{field}`")), "a new one: {words}");
    }
    let new = to_value(from_value::<N>(facts.least.clone()).unwrap()).unwrap();
    for field in given {
        let expected = facts.least.get(field).or(facts.defaults.get(field)).unwrap_or(&Json::Null);
        assert_eq!(&new[field], expected, "{field} of a new one");
    }
}

fn a_list_is_as_stated<L: Serialize + DeserializeOwned + Debug + Default>(facts: &Facts) {
    assert_eq!(known::<L>(json!({"sort_by": "?"})), sorted(words(facts.sort)), "sort keys");
    let mut expected = json!({
        "page": 1, "page_size": 10, "sort_by": words(facts.sort)[0], "sort_direction": "desc", "cursor": null,
    });
    if !facts.search.is_empty() {
        expected["search"] = Json::Null;
    }
    for filter in words(facts.filter) {
        expected[filter] = Json::Null;
    }
    assert_eq!(to_value(L::default()).unwrap(), expected, "a list");
    assert_eq!(
        to_value(from_value::<L>(json!({})).unwrap()).unwrap(),
        expected,
        "a list of which nothing is said"
    );
    assert_eq!(
        known::<L>(json!({"?": 1})),
        sorted(expected.as_object().unwrap().keys().map(String::as_str).collect())
    );
}

/// The names that serde says it knows when it is shown one that it does not.
fn known<T: DeserializeOwned + Debug>(unknown: Json) -> Vec<String> {
    let refused = from_value::<T>(unknown).unwrap_err().to_string();
    let (_, known) = refused.split_once("`?`").unwrap_or_else(|| panic!("`?` should be unknown: {refused}"));
    sorted(known.split('`').skip(1).step_by(2).collect())
}

fn words(text: &'static str) -> Vec<&'static str> {
    text.split_whitespace().collect()
}

fn sorted(mut names: Vec<&str>) -> Vec<String> {
    names.sort_unstable();
    names.into_iter().map(str::to_owned).collect()
}

fn rule_of(column: &str, rule: Rule) -> String {
    let rule = match rule {
        Rule::Length { min, max } => format!("{min} to {max} characters"),
        Rule::Range { min, max: i64::MAX } => format!("at least {min}"),
        Rule::Range { min, max } => format!("{min} to {max}"),
        Rule::Url => "web address".to_owned(),
        Rule::Email => "e-mail address".to_owned(),
    };
    format!("{column}: {rule}")
}

fn json_of(literal: Literal) -> Json {
    match literal {
        Literal::Bool(value) => json!(value),
        Literal::Int(value) => json!(value),
        Literal::Float(value) => json!(value),
        Literal::Text(value) => json!(value),
        Literal::Json(value) => from_str(value).unwrap(),
    }
}

fn text(literal: Literal) -> String {
    match json_of(literal) {
        Json::String(text) => text,
        other => other.to_string(),
    }
}
