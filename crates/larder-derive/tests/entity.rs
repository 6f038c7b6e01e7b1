//! What `#[derive(Entity)]` writes: metadata, companions, rows.

// The fields of these entities explain themselves.
#![allow(missing_docs)]
// Clippy takes functions beside the tests for production code.
#![allow(clippy::expect_used, clippy::panic)]

extern crate larder_core as larder;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use larder::{
    Change, ColumnType, ColumnValue, Condition, Cursor, Entity, EntityPatch, Error, ErrorKind, Field, Filter,
    Json, ListQuery, Literal, NewEntity, Op, Owned, Row, Rule, SortDirection, Source, Stamp, Table, Unowned,
    Value,
};
use larder_derive::{Entity, EnumText};
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct User {
    pub id: UserId,
    #[entity(email, unique)]
    pub email: Option<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumText)]
#[entity(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    Active,
    Paused,
    OnHold,
}

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(unique = [user_id, id], index = [user_id, created_at, id])]
#[entity(index = [next_run_at, id] where status = "ACTIVE")]
pub struct Job {
    pub id: JobId,
    #[entity(owner)]
    pub user_id: UserId,
    /// What to do, in plain language.
    #[entity(length(5, 1000), sort, search)]
    pub definition: String,
    #[entity(default = JobStatus::Paused, filter)]
    pub status: JobStatus,
    #[entity(sort)]
    pub next_run_at: Option<DateTime<Utc>>,
    #[entity(managed)]
    pub locked_until: Option<DateTime<Utc>>,
    #[entity(managed, default = 0, range(0..))]
    pub input_tokens: i64,
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    #[entity(sort)]
    pub updated_at: DateTime<Utc>,
}

fn message_text(value: &Value) -> Option<String> {
    match value {
        Value::Json(json) => json.as_str().map(str::to_owned),
        _ => None,
    }
}

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Message {
    pub id: MessageId,
    #[entity(owner)]
    pub user_id: UserId,
    #[entity(parent)]
    pub job_id: JobId,
    #[entity(search = message_text)]
    pub content: larder::__private::serde_json::Value,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Every kind of default and rule.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(table = "http_endpoints", unique = [job_id, name])]
pub struct Endpoint {
    pub id: EndpointId,
    #[entity(owner)]
    pub user_id: UserId,
    #[entity(parent)]
    pub job_id: JobId,
    #[entity(length(1, 255), search, create_only)]
    pub name: String,
    #[entity(url)]
    pub url: String,
    #[entity(default = "GET")]
    pub method: String,
    #[entity(default_json = "{}")]
    pub headers: Json<BTreeMap<String, String>>,
    #[entity(default = 5000, range(1000..=30_000))]
    pub timeout_ms: u32,
    #[entity(default = 1024 * 1024, range(..10 * 1024 * 1024))]
    pub max_request_bytes: i64,
    #[entity(default = -0.5)]
    pub weight: f64,
    #[entity(default = false)]
    pub fire_and_forget: bool,
    #[entity(default = 3)]
    pub retries: Option<i64>,
    #[entity(column = "kind")]
    pub r#type: Option<String>,
}

/// JSON defaults of each kind.
#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Preferences {
    /// The key: there is one row for a user.
    #[entity(key, owner)]
    pub user_id: UserId,
    #[entity(default_json = r#"["read", "write"]"#)]
    pub scopes: Vec<String>,
    #[entity(default_json = "[]")]
    pub numbers: Json<Vec<i64>>,
    #[entity(
        default_json = r#"{"a": [1, -0.5, 18446744073709551615, null], "b": {}, "c": "\u00e4\n", "d": true}"#
    )]
    pub anything: larder::__private::serde_json::Value,
    #[entity(default_json = "{}")]
    pub maybe: Option<Json<BTreeMap<String, i64>>>,
    pub created_at: DateTime<Utc>,
}

/// A tree: a parent that may be null, of its own table.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(unique = [user_id, id])]
pub struct Folder {
    #[entity(key)]
    pub id: FolderId,
    #[entity(owner)]
    pub user_id: UserId,
    #[entity(parent)]
    pub parent_id: Option<larder::Id<Self>>,
}

/// A key of two fields, one of them the owner.
#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Authenticator {
    #[entity(key, owner)]
    pub user_id: UserId,
    #[entity(key, unique)]
    pub credential_id: Vec<u8>,
    #[entity(default = 0)]
    pub counter: i64,
}

/// A key that callers give.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(index = [user_id])]
pub struct Session {
    #[entity(key)]
    pub session_token: String,
    #[entity(owner)]
    pub user_id: UserId,
    #[entity(sort)]
    pub expires_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Unique keys that begin with the referring columns and go on otherwise.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(unique = [user_id, id], unique = [job_id, number])]
pub struct Ticket {
    pub id: TicketId,
    #[entity(owner)]
    pub user_id: UserId,
    #[entity(parent)]
    pub job_id: Option<JobId>,
    pub number: i64,
    pub created_at: DateTime<Utc>,
}

/// Unique keys in the order of lists.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(unique = [user_id, created_at], unique = [user_id, job_id, created_at])]
pub struct Vote {
    pub id: VoteId,
    #[entity(owner)]
    pub user_id: UserId,
    #[entity(parent)]
    pub job_id: Option<JobId>,
    pub created_at: DateTime<Utc>,
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).expect("a time")
}

fn stamp() -> Stamp {
    Stamp { id: Uuid::from_u128(1), owner: Some(Uuid::from_u128(2)), now: time(3) }
}

fn names(table: &Table) -> Vec<&str> {
    table.columns.iter().map(|column| column.name).collect()
}

/// Indexes by the names of their columns.
fn indexes(table: &Table) -> Vec<String> {
    table.indexes.iter().map(|index| table.names(index.columns)).collect()
}

/// Foreign keys as `columns -> table (columns)`.
fn foreign_keys(table: &Table) -> Vec<String> {
    let keys = table.foreign_keys.iter();
    keys.map(|key| {
        format!("{} -> {} ({})", table.names(key.columns), (key.parent)().name, key.parent_columns.join(", "))
    })
    .collect()
}

fn invalid(error: &Error) -> (&str, &str) {
    match error.kind() {
        ErrorKind::Invalid { field, reason, .. } => (field, reason),
        other => panic!("expected Invalid, not {other:?}"),
    }
}

mod metadata {
    use super::*;

    #[test]
    fn names_and_positions() {
        let table = Job::TABLE;
        assert_eq!((table.name, table.entity, table.visible), ("jobs", "Job", 9));
        assert_eq!(
            names(table),
            [
                "id",
                "user_id",
                "definition",
                "status",
                "next_run_at",
                "locked_until",
                "input_tokens",
                "created_at",
                "updated_at",
                "definition_search"
            ]
        );
        assert_eq!(table.primary_key, [0]);
        assert_eq!((table.owner, table.created_at, table.updated_at), (Some(1), Some(7), Some(8)));
        assert_eq!((User::TABLE.name, User::TABLE.owner), ("users", None));
        assert_eq!(Endpoint::TABLE.name, "http_endpoints");
        assert_eq!(names(Endpoint::TABLE)[12], "kind");
        assert_eq!(Endpoint::TABLE.created_at, None);
    }

    #[test]
    fn columns_have_their_types_nullability_rules_and_defaults() {
        let columns = Endpoint::TABLE.columns;
        let column = |name: &str| &columns[Endpoint::TABLE.position(name).expect("a column")];
        assert_eq!(column("name").kind, ColumnType::Text);
        assert_eq!(column("name").rules, [Rule::Length { min: 1, max: 255 }]);
        assert_eq!(column("url").rules, [Rule::Url]);
        assert_eq!(column("timeout_ms").rules, [Rule::Range { min: 1000, max: 30_000 }]);
        assert_eq!(column("timeout_ms").type_rules, [Rule::Range { min: 0, max: i64::from(u32::MAX) }]);
        assert_eq!(
            column("max_request_bytes").rules,
            [Rule::Range { min: i64::MIN, max: 10 * 1024 * 1024 - 1 }]
        );
        assert_eq!(Job::TABLE.columns[6].rules, [Rule::Range { min: 0, max: i64::MAX }]);
        assert_eq!(User::TABLE.columns[1].rules, [Rule::Email]);
        let defaults: Vec<_> =
            columns.iter().filter_map(|column| Some((column.name, column.default?))).collect();
        assert_eq!(
            defaults,
            [
                ("method", Literal::Text("GET")),
                ("headers", Literal::Json("{}")),
                ("timeout_ms", Literal::Int(5000)),
                ("max_request_bytes", Literal::Int(1_048_576)),
                ("weight", Literal::Float(-0.5)),
                ("fire_and_forget", Literal::Bool(false)),
                ("retries", Literal::Int(3)),
            ]
        );
        assert_eq!(Job::TABLE.columns[3].default, Some(Literal::Text("PAUSED")));
        let nullable: Vec<_> =
            columns.iter().filter(|column| column.nullable).map(|column| column.name).collect();
        assert_eq!(nullable, ["retries", "kind"]);
    }

    #[test]
    fn uniques_are_those_declared() {
        let uniques = |table: &Table| -> Vec<String> {
            table.uniques.iter().map(|unique| table.names(unique.columns)).collect()
        };
        assert_eq!(uniques(Job::TABLE), ["user_id, id"]);
        assert_eq!(uniques(User::TABLE), ["email"]);
        assert_eq!(uniques(Authenticator::TABLE), ["credential_id"]);
    }

    #[test]
    fn foreign_keys_go_through_the_owner() {
        assert_eq!(foreign_keys(Job::TABLE), ["user_id -> users (id)"]);
        assert_eq!(foreign_keys(Message::TABLE), ["user_id, job_id -> jobs (user_id, id)"]);
    }

    #[test]
    fn a_parent_that_may_be_null_does_not_vouch_for_the_owner() {
        assert_eq!(
            foreign_keys(Folder::TABLE),
            ["user_id -> users (id)", "user_id, parent_id -> folders (user_id, id)"]
        );
    }

    #[test]
    fn foreign_keys_are_indexed_unless_something_declared_covers_them() {
        assert_eq!(indexes(Job::TABLE), ["user_id, created_at, id", "next_run_at, id"]);
        assert_eq!(indexes(Message::TABLE), ["job_id, created_at, id"]);
        assert_eq!(indexes(Endpoint::TABLE), [""; 0], "the unique key (job_id, name) covers it");
        assert_eq!(
            indexes(Folder::TABLE),
            ["parent_id, id"],
            "the unique key (user_id, id) covers the owner"
        );
        assert_eq!(indexes(Authenticator::TABLE), [""; 0], "the primary key covers it");
        assert_eq!(indexes(Preferences::TABLE), [""; 0], "there is one row for each owner");
        assert_eq!(
            Job::TABLE.indexes[1].only,
            Some(Condition { column: 3, equals: Literal::Text("ACTIVE") })
        );
    }

    #[test]
    fn only_what_has_the_order_of_lists_takes_the_place_of_the_index_that_has_it() {
        assert_eq!(
            indexes(Session::TABLE),
            ["user_id", "user_id, created_at, session_token"],
            "the index that is declared begins with the owner alone"
        );
        assert_eq!(indexes(Ticket::TABLE), ["user_id, created_at, id", "job_id, created_at, id"]);
        assert_eq!(indexes(Vote::TABLE), [""; 0], "both unique keys go on with the time of creation");
    }

    #[test]
    fn search_copies_are_hidden_columns_at_the_end() {
        let copy = &Job::TABLE.columns[9];
        assert_eq!((copy.kind, copy.nullable, copy.name), (ColumnType::Text, false, "definition_search"));
        let Source::Folded { of, text } = copy.source else { panic!("no copy") };
        assert_eq!((of, text(&Value::Text("Ä".to_owned()))), (2, Some("Ä".to_owned())));
        let copy = &Message::TABLE.columns[6];
        assert_eq!((copy.kind, copy.nullable, copy.name), (ColumnType::Text, true, "content_search"));
        let Source::Folded { of, text } = copy.source else { panic!("no copy") };
        assert_eq!(
            (of, text(&Value::Json("hello".into())), text(&Value::Null)),
            (3, Some("hello".to_owned()), None)
        );
    }

    #[test]
    fn keys_and_ownership_are_types() {
        fn owned<E: Entity<Ownership = Owned, Key = K>, K>() {}
        fn unowned<E: Entity<Ownership = Unowned, Key = K>, K>() {}
        owned::<Job, JobId>();
        owned::<Authenticator, (UserId, Vec<u8>)>();
        owned::<Session, String>();
        unowned::<User, UserId>();
    }

    #[test]
    fn field_constants_know_their_column_and_type() {
        let status: Field<Job, JobStatus> = Job::STATUS;
        assert_eq!(format!("{status:?}"), "Job.status");
        assert_eq!(Job::NEXT_RUN_AT.position(), 4);
        assert_eq!(Endpoint::TYPE.position(), 12);
    }
}

mod rows {
    use super::*;

    #[test]
    fn a_row_becomes_its_entity() {
        let values = NewFolder::new().into_values(&stamp()).expect("values");
        let folder = Folder::from_row(Row::new(values)).expect("a folder");
        assert_eq!(folder.id, FolderId::from_uuid(Uuid::from_u128(1)));
        assert_eq!(folder.key(), folder.id);
        assert_eq!(folder.parent_id, None);
    }

    #[test]
    fn a_value_of_another_type_is_corrupt() {
        let row = Row::new(vec![Value::Uuid(Uuid::nil()), Value::Text("x".to_owned()), Value::Null]);
        let error = Folder::from_row(row).expect_err("corrupt");
        let expected = ErrorKind::Corrupt { entity: "Folder".into(), field: "user_id".into() };
        assert_eq!(error.kind(), &expected);
    }

    #[test]
    fn the_key_of_two_fields_is_in_the_order_of_the_fields() {
        let user_id = UserId::from_uuid(Uuid::from_u128(2));
        let new = NewAuthenticator::new(vec![1, 2]);
        let values = new.into_values(&stamp()).expect("values");
        let entity = Authenticator::from_row(Row::new(values)).expect("an authenticator");
        assert_eq!(entity.key(), (user_id, vec![1, 2]));
    }
}

mod new {
    use super::*;

    #[test]
    fn larder_writes_id_owner_times_and_what_is_managed() {
        let new = NewJob { next_run_at: Some(time(9)), ..NewJob::new("Water the plants") };
        assert_eq!(new.status, JobStatus::Paused);
        assert_eq!(
            new.into_values(&stamp()).expect("values"),
            [
                Value::Uuid(Uuid::from_u128(1)),
                Value::Uuid(Uuid::from_u128(2)),
                Value::Text("Water the plants".to_owned()),
                Value::Text("PAUSED".to_owned()),
                Value::Time(time(9)),
                Value::Null,
                Value::Int(0),
                Value::Time(time(3)),
                Value::Time(time(3)),
            ]
        );
    }

    #[test]
    fn the_constructor_takes_what_has_no_default() {
        let job = JobId::from_uuid(Uuid::from_u128(7));
        let new = NewEndpoint::new(job, "hook", "https://example.com");
        let expected = NewEndpoint {
            job_id: job,
            name: "hook".to_owned(),
            url: "https://example.com".to_owned(),
            method: "GET".to_owned(),
            headers: Json(BTreeMap::new()),
            timeout_ms: 5000,
            max_request_bytes: 1024 * 1024,
            weight: -0.5,
            fire_and_forget: false,
            retries: Some(3),
            r#type: None,
        };
        assert_eq!(new, expected);
        assert_eq!(NewUser::default(), NewUser { email: None });
    }

    #[test]
    fn json_defaults_are_what_their_text_says() {
        let new = NewPreferences::new();
        assert_eq!(new.scopes, ["read", "write"]);
        assert_eq!((new.numbers.0.len(), new.maybe.as_ref().map(|map| map.0.len())), (0, Some(0)));
        let anything = Preferences::ANYTHING.position();
        let Some(Literal::Json(text)) = Preferences::TABLE.columns[anything].default else {
            panic!("no JSON")
        };
        assert_eq!(new.anything, from_json::<larder::__private::serde_json::Value>(text).expect("JSON"));
        assert_eq!(from_json::<NewPreferences>("{}").expect("all have defaults"), new);
    }

    #[test]
    fn keys_that_larder_does_not_make_are_given() {
        let new = NewSession::new("token", time(5));
        let values = new.into_values(&stamp()).expect("values");
        assert_eq!(values[0], Value::Text("token".to_owned()));
    }

    #[test]
    fn without_an_owner_the_owner_is_null_and_will_be_refused() {
        let values = NewFolder::new().into_values(&Stamp { owner: None, ..stamp() }).expect("values");
        assert_eq!(values[1], Value::Null);
        assert!(larder::check_row(Folder::TABLE, &values).is_err());
    }

    #[test]
    fn a_value_that_cannot_be_stored_is_invalid_with_its_field() {
        let job = JobId::from_uuid(Uuid::nil());
        let new = NewEndpoint { weight: f64::NAN, ..NewEndpoint::new(job, "hook", "https://example.com") };
        let error = new.into_values(&stamp()).expect_err("no such value");
        assert_eq!(invalid(&error), ("weight", "not a finite number"));
    }

    #[test]
    fn json_needs_what_has_no_default_and_nothing_unknown() {
        let new: NewJob = from_json(r#"{"definition": "Water the plants"}"#).expect("a new job");
        assert_eq!(new, NewJob::new("Water the plants"));
        let new: NewJob =
            from_json(r#"{"definition": "x", "status": "ON_HOLD", "next_run_at": null}"#).expect("a new job");
        assert_eq!(new.status, JobStatus::OnHold);
        assert!(refusal::<NewJob>("{}").starts_with("missing field `definition`"));
        for field in ["id", "user_id", "created_at", "locked_until", "input_tokens", "other"] {
            let json = format!(r#"{{"definition": "x", "{field}": null}}"#);
            assert!(refusal::<NewJob>(&json).starts_with(&format!("unknown field `{field}`")), "{field}");
        }
        let written = to_json(&NewFolder::new());
        assert_eq!(written, r#"{"parent_id":null}"#);
    }
}

mod patch {
    use super::*;

    #[test]
    fn absent_null_and_value_are_three_things() {
        let left: JobPatch = from_json("{}").expect("a patch");
        assert_eq!(left, JobPatch::default());
        assert_eq!(left.clone().into_changes().expect("changes"), []);
        assert_eq!(to_json(&left), "{}");
        let null: JobPatch = from_json(r#"{"next_run_at": null}"#).expect("a patch");
        assert_eq!(null.next_run_at, Change::Set(None));
        assert_eq!(to_json(&null), r#"{"next_run_at":null}"#);
        assert_eq!(null.into_changes().expect("changes"), [(4, Value::Null)]);
        let set: JobPatch = from_json(r#"{"next_run_at": "1970-01-01T00:00:03Z"}"#).expect("a patch");
        assert_eq!(set.next_run_at, Change::Set(Some(time(3))));
        assert_eq!(set.into_changes().expect("changes"), [(4, Value::Time(time(3)))]);
    }

    #[test]
    fn null_for_what_is_never_null_is_refused() {
        assert!(
            refusal::<JobPatch>(r#"{"definition": null}"#).contains("invalid type: null, expected a string")
        );
    }

    #[test]
    fn what_must_not_change_is_no_field() {
        for field in ["id", "user_id", "created_at", "updated_at", "locked_until", "input_tokens"] {
            let refusal = refusal::<JobPatch>(&format!(r#"{{"{field}": null}}"#));
            assert!(refusal.starts_with(&format!("unknown field `{field}`")), "{refusal}");
        }
        for field in ["job_id", "name"] {
            let refusal = refusal::<EndpointPatch>(&format!(r#"{{"{field}": "x"}}"#));
            assert!(refusal.starts_with(&format!("unknown field `{field}`")), "{refusal}");
        }
        assert!(refusal::<SessionPatch>(r#"{"session_token": "x"}"#).starts_with("unknown field"));
    }
}

mod list {
    use super::*;

    #[test]
    fn by_default_the_first_page_of_ten_newest_first() {
        let list: ListJobs = from_json("{}").expect("a list");
        assert_eq!(list, ListJobs::default());
        let request = list.into_request().expect("a request");
        assert_eq!((request.page, request.page_size), (1, 10));
        assert_eq!((request.sort, request.direction), (7, SortDirection::Desc));
        assert_eq!((request.search, request.cursor), (None, None));
        assert_eq!(request.filter, Filter::All(Vec::new()));
    }

    #[test]
    fn what_is_asked_for_is_in_the_request() {
        let json = r#"{"page": 2, "page_size": 5, "sort_by": "next_run_at", "sort_direction": "asc", "search": "x",
                       "cursor": "c", "status": "ACTIVE"}"#;
        let request = from_json::<ListJobs>(json).expect("a list").into_request().expect("a request");
        assert_eq!((request.page, request.page_size), (2, 5));
        assert_eq!((request.sort, request.direction), (4, SortDirection::Asc));
        assert_eq!((request.search.as_deref(), request.cursor), (Some("x"), Some(Cursor::new("c"))));
        let active = Filter::Compare { column: 3, op: Op::Eq, value: Value::Text("ACTIVE".to_owned()) };
        assert_eq!(request.filter, Filter::All(vec![active]));
    }

    #[test]
    fn sorts_are_those_declared() {
        let refusal = refusal::<ListJobs>(r#"{"sort_by": "status"}"#);
        assert!(
            refusal.contains("expected one of `definition`, `next_run_at`, `created_at`, `updated_at`"),
            "{refusal}"
        );
        assert_eq!(JobSort::default(), JobSort::CreatedAt);
        assert_eq!(MessageSort::default(), MessageSort::CreatedAt, "without any, the time of creation");
        assert_eq!(FolderSort::default(), FolderSort::Id, "without that, the key");
        assert_eq!(SessionSort::default(), SessionSort::ExpiresAt, "else the first");
    }

    #[test]
    fn search_stands_only_where_there_is_text_to_search_in() {
        assert!(refusal::<ListFolders>(r#"{"search": "x"}"#).starts_with("unknown field `search`"));
        assert!(from_json::<ListMessages>(r#"{"search": "x"}"#).is_ok());
    }

    #[test]
    fn parents_are_filters() {
        let parent = FolderId::from_uuid(Uuid::from_u128(5));
        let list = ListFolders { parent_id: Some(parent), ..ListFolders::default() };
        let under = Filter::Compare { column: 2, op: Op::Eq, value: parent.into_value().expect("a value") };
        assert_eq!(list.into_request().expect("a request").filter, Filter::All(vec![under]));
    }
}

fn from_json<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, larder::__private::serde_json::Error> {
    larder::__private::serde_json::from_str(json)
}

fn to_json<T: serde::Serialize>(value: &T) -> String {
    larder::__private::serde_json::to_string(value).expect("JSON")
}

fn refusal<T: serde::de::DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
    from_json::<T>(json).expect_err("refused").to_string()
}
