//! A small model written by hand, a fresh database with it, and short names for verbs.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use larder_core::{
    Assign, Column, ColumnType, Condition, Count, Delete, EnumType, Error, ErrorKind, Filter, ForeignKey,
    Get, Index, Insert, Key, Literal, Op, Order, Outcome, Result, Row, Rule, Select, SortDirection, Source,
    Sql, Store, Table, Unique, Update, Upsert, Value, Verb,
};
use larder_postgres::{PostgresConfig, PostgresStore};
use larder_sql::Dialect;
use larder_testing::{Postgres, PostgresDatabase};
use uuid::Uuid;

const fn column(name: &'static str, kind: ColumnType) -> Column {
    Column { name, kind, nullable: false, default: None, type_rules: &[], rules: &[], source: Source::Field }
}

const fn nullable(name: &'static str, kind: ColumnType) -> Column {
    Column { nullable: true, ..column(name, kind) }
}

static STATUS: EnumType = EnumType { name: "job_status", variants: &["PAUSED", "ACTIVE", "ARCHIVED"] };

pub(crate) static USERS: Table = Table {
    name: "users",
    entity: "User",
    columns: &[
        column("id", ColumnType::Uuid),
        Column { rules: &[Rule::Email], ..nullable("email", ColumnType::Text) },
        column("updated_at", ColumnType::Time),
    ],
    visible: 3,
    primary_key: &[0],
    uniques: &[Unique { columns: &[1] }],
    foreign_keys: &[],
    indexes: &[],
    owner: None,
    created_at: None,
    updated_at: Some(2),
};

/// A row of [`JOBS`] has a column of every type.
pub(crate) static JOBS: Table = Table {
    name: "jobs",
    entity: "Job",
    columns: &[
        column("id", ColumnType::Uuid),
        column("user_id", ColumnType::Uuid),
        Column { rules: &[Rule::Length { min: 1, max: 100 }], ..column("name", ColumnType::Text) },
        Column { default: Some(Literal::Text("PAUSED")), ..column("status", ColumnType::Enum(&STATUS)) },
        nullable("next_run_at", ColumnType::Time),
        Column { rules: &[Rule::Range { min: 0, max: i64::MAX }], ..column("tokens", ColumnType::Int) },
        nullable("ratio", ColumnType::Float),
        nullable("urgent", ColumnType::Bool),
        nullable("secret", ColumnType::Bytes),
        nullable("content", ColumnType::Json),
        column("updated_at", ColumnType::Time),
        Column {
            source: Source::Folded { of: 2, text: |_| None },
            ..nullable("name_search", ColumnType::Text)
        },
    ],
    visible: 11,
    primary_key: &[0],
    uniques: &[Unique { columns: &[1, 0] }, Unique { columns: &[1, 2] }],
    foreign_keys: &[ForeignKey { columns: &[1], parent: || &USERS, parent_columns: &["id"] }],
    indexes: &[
        Index { columns: &[1, 10, 0], only: None },
        Index { columns: &[4], only: Some(Condition { column: 3, equals: Literal::Text("ACTIVE") }) },
    ],
    owner: Some(1),
    created_at: None,
    updated_at: Some(10),
};

pub(crate) const USER: usize = 1;
pub(crate) const NAME: usize = 2;
pub(crate) const STATUS_OF: usize = 3;
pub(crate) const NEXT: usize = 4;
pub(crate) const TOKENS: usize = 5;
pub(crate) const SECRET: usize = 8;
pub(crate) const CONTENT: usize = 9;
pub(crate) const UPDATED: usize = 10;

/// A database with the tables, and how to connect to it.
pub(crate) struct Fixture {
    pub(crate) database: PostgresDatabase,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let fixture = Self { database: Postgres::shared().await.unwrap().database().await.unwrap() };
        let store = fixture.store("").await;
        let script = larder_sql::create_schema(Dialect::Postgres, &[&JOBS, &USERS]);
        store.sql(Sql::portable(script)).await.unwrap();
        store.close().await.unwrap();
        fixture
    }

    pub(crate) async fn store(&self, options: &str) -> Arc<PostgresStore> {
        let config = PostgresConfig::parse(&format!("{}?{options}", self.database.url())).unwrap();
        Arc::new(PostgresStore::connect(config).await.unwrap())
    }
}

pub(crate) async fn store() -> (Fixture, Arc<PostgresStore>) {
    let fixture = Fixture::new().await;
    let store = fixture.store("").await;
    (fixture, store)
}

pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(crate) fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(crate) fn user(number: u128, email: Option<&str>) -> Vec<Value> {
    vec![Value::Uuid(id(number)), email.map_or(Value::Null, text), Value::Time(time(0))]
}

/// A job of this user; its number is its name, its tokens and its time.
#[allow(clippy::cast_possible_truncation, reason = "small numbers")]
pub(crate) fn job(owner: u128, number: u128) -> Vec<Value> {
    let n = number as i64;
    vec![
        Value::Uuid(id(number)),
        Value::Uuid(id(owner)),
        Value::Text(format!("job {number}")),
        text("ACTIVE"),
        Value::Time(time(n)),
        Value::Int(n),
        Value::Float(0.1 + n as f64),
        Value::Bool(n % 2 == 0),
        Value::Bytes(vec![0, 255, n as u8]),
        Value::Json(serde_json::json!({ "b": [n, 1.5, null], "a": "ü" })),
        Value::Time(time(0)),
        Value::Null,
    ]
}

pub(crate) fn with(mut row: Vec<Value>, column: usize, value: Value) -> Vec<Value> {
    row[column] = value;
    row
}

pub(crate) fn visible(row: &[Value]) -> Row {
    Row::new(row[..JOBS.visible].to_vec())
}

pub(crate) fn insert(table: &'static Table, rows: Vec<Vec<Value>>) -> Verb {
    Verb::Insert(Insert { table, rows })
}

pub(crate) fn key(number: u128) -> Key {
    Key { columns: &[0], values: vec![Value::Uuid(id(number))] }
}

pub(crate) fn get(number: u128) -> Verb {
    Verb::Get(Get { table: &JOBS, owner: None, key: key(number) })
}

pub(crate) fn get_user(number: u128) -> Verb {
    Verb::Get(Get { table: &USERS, owner: None, key: key(number) })
}

pub(crate) fn select(filter: Filter, order: Vec<Order>) -> Select {
    Select { table: &JOBS, owner: None, filter, order, after: None, offset: 0, limit: None }
}

pub(crate) fn count(table: &'static Table) -> Verb {
    Verb::Count(Count { table, owner: None, filter: Filter::always() })
}

pub(crate) fn update(number: u128, set: Vec<(usize, Assign)>) -> Update {
    Update {
        table: &JOBS,
        owner: None,
        key: Some(key(number)),
        filter: Filter::always(),
        set,
        returning: true,
    }
}

pub(crate) fn delete(number: u128) -> Delete {
    let (key, filter) = (Some(key(number)), Filter::always());
    Delete { table: &JOBS, owner: None, key, filter, limit: None, returning: false }
}

pub(crate) fn upsert(row: Vec<Value>, set: Vec<(usize, Assign)>) -> Verb {
    Verb::Upsert(Upsert { table: &JOBS, row, conflict: &[0], set })
}

pub(crate) fn rename(number: u128, name: &str) -> Verb {
    Verb::Update(update(number, vec![(NAME, Assign::Set(text(name)))]))
}

pub(crate) fn compare(column: usize, op: Op, value: Value) -> Filter {
    Filter::Compare { column, op, value }
}

pub(crate) fn by(column: usize, direction: SortDirection) -> Order {
    Order { column, direction }
}

/// A store with users 1 and 2.
pub(crate) async fn with_users() -> (Fixture, Arc<PostgresStore>) {
    let (fixture, store) = store().await;
    store.execute(insert(&USERS, vec![user(1, Some("a@b.c")), user(2, None)])).await.unwrap();
    (fixture, store)
}

pub(crate) async fn rows(store: &dyn Store, verb: Verb) -> Vec<Row> {
    match store.execute(verb).await.unwrap() {
        Outcome::Rows(rows) => rows,
        other => panic!("not rows: {other:?}"),
    }
}

pub(crate) async fn row(store: &dyn Store, verb: Verb) -> Option<Row> {
    match store.execute(verb).await.unwrap() {
        Outcome::Row(row) => row,
        other => panic!("not a row: {other:?}"),
    }
}

pub(crate) async fn number(store: &dyn Store, verb: Verb) -> u64 {
    match store.execute(verb).await.unwrap() {
        Outcome::Count(number) => number,
        other => panic!("not a count: {other:?}"),
    }
}

/// The names of jobs, which are `job {number}`, as numbers.
pub(crate) fn numbers(rows: &[Row]) -> Vec<u128> {
    let number = |row: &Row| match row.get(0) {
        Some(Value::Uuid(id)) => id.as_u128(),
        other => panic!("no id: {other:?}"),
    };
    rows.iter().map(number).collect()
}

pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind().clone()
}
