//! Three tables with everything that a table can have, and shorthands.

use std::{
    future::{Future, poll_fn},
    path::Path,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use chrono::{DateTime, Utc};
use larder_core::{
    Column, ColumnType, Count, EnumType, Error, ErrorKind, Filter, ForeignKey, Get, Insert, Key, Outcome,
    Result, Row, Rule, Source, Sql, Store, Table, Unique, Value, Verb,
};
use larder_libsql::{LibsqlConfig, LibsqlStore};
use larder_sql::{Dialect, create_schema};
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) static STATES: EnumType = EnumType { name: "jar_state", variants: &["FULL", "EMPTY"] };

const fn column(name: &'static str, kind: ColumnType) -> Column {
    Column { name, kind, nullable: false, default: None, type_rules: &[], rules: &[], source: Source::Field }
}

const fn nullable(name: &'static str, kind: ColumnType) -> Column {
    Column { nullable: true, ..column(name, kind) }
}

/// Two unique keys beside the primary key.
pub(crate) static SHELVES: Table = Table {
    name: "shelves",
    entity: "Shelf",
    columns: &[
        column("id", ColumnType::Uuid),
        column("name", ColumnType::Text),
        nullable("code", ColumnType::Int),
    ],
    visible: 3,
    primary_key: &[0],
    uniques: &[Unique { columns: &[1] }, Unique { columns: &[2] }],
    foreign_keys: &[],
    indexes: &[],
    owner: None,
    created_at: None,
    updated_at: None,
};

pub(crate) static LIDS: Table = Table {
    name: "lids",
    entity: "Lid",
    columns: &[column("id", ColumnType::Uuid)],
    visible: 1,
    primary_key: &[0],
    uniques: &[],
    foreign_keys: &[],
    indexes: &[],
    owner: None,
    created_at: None,
    updated_at: None,
};

/// Every type, two parents, an owner.
pub(crate) static JARS: Table = Table {
    name: "jars",
    entity: "Jar",
    columns: &[
        column("id", ColumnType::Uuid),
        column("user_id", ColumnType::Uuid),
        column("shelf_id", ColumnType::Uuid),
        nullable("lid_id", ColumnType::Uuid),
        Column { rules: &[Rule::Length { min: 1, max: 20 }], ..column("label", ColumnType::Text) },
        column("sealed", ColumnType::Bool),
        Column { rules: &[Rule::Range { min: -10, max: i64::MAX }], ..column("count", ColumnType::Int) },
        column("weight", ColumnType::Float),
        nullable("content", ColumnType::Json),
        nullable("picture", ColumnType::Bytes),
        column("filled_at", ColumnType::Time),
        column("state", ColumnType::Enum(&STATES)),
        Column {
            source: Source::Folded { of: LABEL, text: |_| None },
            ..nullable("label_search", ColumnType::Text)
        },
    ],
    visible: 12,
    primary_key: &[0],
    uniques: &[Unique { columns: &[USER, LABEL] }],
    foreign_keys: &[
        ForeignKey { columns: &[2], parent: || &SHELVES, parent_columns: &["id"] },
        ForeignKey { columns: &[3], parent: || &LIDS, parent_columns: &["id"] },
    ],
    indexes: &[],
    owner: Some(USER),
    created_at: None,
    updated_at: None,
};

pub(crate) const USER: usize = 1;
pub(crate) const SHELF: usize = 2;
pub(crate) const LID: usize = 3;
pub(crate) const LABEL: usize = 4;
pub(crate) const SEALED: usize = 5;
pub(crate) const COUNT: usize = 6;
pub(crate) const CONTENT: usize = 8;
pub(crate) const FILLED_AT: usize = 10;
pub(crate) const STATE: usize = 11;

pub(crate) fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(crate) fn id(number: u128) -> Value {
    Value::Uuid(uuid(number))
}

pub(crate) fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

pub(crate) fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

pub(crate) fn shelf(number: u128, name: &str, code: Option<i64>) -> Vec<Value> {
    vec![id(number), text(name), code.map_or(Value::Null, Value::Int)]
}

/// A jar of user 1 on shelf 1, without a lid.
pub(crate) fn jar(number: u128) -> Vec<Value> {
    vec![
        id(number),
        id(1),
        id(1),
        Value::Null,
        text(format!("jar {number}")),
        Value::Bool(true),
        Value::Int(3),
        Value::Float(0.5),
        Value::Json(json!({"of": ["plums", 1, null]})),
        Value::Bytes(vec![0, 255]),
        Value::Time(time("1969-12-31T23:59:59.999999Z")),
        text("FULL"),
        text("jar"),
    ]
}

pub(crate) fn with(mut row: Vec<Value>, column: usize, value: Value) -> Vec<Value> {
    row[column] = value;
    row
}

pub(crate) fn insert(table: &'static Table, rows: impl Into<Vec<Vec<Value>>>) -> Verb {
    Verb::Insert(Insert { table, rows: rows.into() })
}

pub(crate) fn key(number: u128) -> Key {
    Key { columns: &[0], values: vec![id(number)] }
}

pub(crate) fn get(table: &'static Table, number: u128) -> Verb {
    Verb::Get(Get { table, owner: None, key: key(number) })
}

pub(crate) fn count_of(table: &'static Table) -> Verb {
    Verb::Count(Count { table, owner: None, filter: Filter::always() })
}

pub(crate) fn equals(column: usize, value: Value) -> Filter {
    Filter::Compare { column, op: larder_core::Op::Eq, value }
}

pub(crate) async fn done(store: &dyn Store, verb: Verb) -> Outcome {
    store.execute(verb).await.expect("done")
}

pub(crate) async fn refused(store: &dyn Store, verb: Verb) -> Error {
    store.execute(verb).await.expect_err("refused")
}

pub(crate) async fn count(store: &dyn Store, table: &'static Table) -> u64 {
    store.execute(count_of(table)).await.expect("count").rows()
}

pub(crate) async fn find(store: &dyn Store, table: &'static Table, number: u128) -> Option<Row> {
    match store.execute(get(table, number)).await.expect("get") {
        Outcome::Row(row) => row,
        other => panic!("get answered {other:?}"),
    }
}

/// A store with its directory, when it has one.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) store: LibsqlStore,
    pub(crate) directory: Option<TempDir>,
}

impl Fixture {
    /// A fresh file with the tables, shelf 1 and lid 1.
    pub(crate) async fn file(options: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store = open(&format!("{}?{options}", url(directory.path()))).await.expect("open");
        create(&store).await;
        Self { store, directory: Some(directory) }
    }

    /// The same in memory.
    pub(crate) async fn memory(options: &str) -> Self {
        let store = open(&format!("memory:?{options}")).await.expect("open");
        create(&store).await;
        Self { store, directory: None }
    }

    /// One of each.
    pub(crate) async fn both(options: &str) -> [Self; 2] {
        [Self::file(options).await, Self::memory(options).await]
    }

    /// A second handle on the same file.
    pub(crate) async fn again(&self, options: &str) -> LibsqlStore {
        let directory = self.directory.as_ref().expect("a file");
        open(&format!("{}?{options}", url(directory.path()))).await.expect("open again")
    }
}

pub(crate) fn url(directory: &Path) -> String {
    format!("file:{}", directory.join("test.db").display())
}

pub(crate) async fn open(url: &str) -> Result<LibsqlStore> {
    LibsqlStore::open(LibsqlConfig::parse(url)?).await
}

pub(crate) async fn create(store: &dyn Store) {
    let schema = create_schema(Dialect::Sqlite, &[&SHELVES, &LIDS, &JARS]);
    store.sql(Sql::portable(schema)).await.expect("schema");
    store.execute(insert(&SHELVES, [shelf(1, "top", Some(1))])).await.expect("shelf");
    store.execute(insert(&LIDS, [vec![id(1)]])).await.expect("lid");
}

pub(crate) fn conflict(entity: &'static str, field: &'static str) -> ErrorKind {
    ErrorKind::Conflict { entity: entity.into(), field: field.into() }
}

/// The column of an `Invalid` error.
pub(crate) fn invalid_field(error: &Error) -> &str {
    match error.kind() {
        ErrorKind::Invalid { field, .. } => field,
        _ => panic!("not Invalid: {error:?}"),
    }
}

/// A query that does not end by itself.
pub(crate) fn endless() -> Sql {
    Sql::portable("WITH RECURSIVE n (x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n")
        .returning([ColumnType::Int])
}

/// Begins a call, so that it waits in its queue, and hands it back.
pub(crate) fn begun<'a, T>(
    call: impl Future<Output = T> + Send + 'a,
) -> Pin<Box<dyn Future<Output = T> + Send + 'a>> {
    let mut call: Pin<Box<dyn Future<Output = T> + Send + 'a>> = Box::pin(call);
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(), "ended at once");
    call
}

/// Drops the call when it has been polled this often without ending: `None`.
pub(crate) async fn dropped_after<T>(polls: usize, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    let mut polled = 0;
    poll_fn(|context| {
        if polled == polls {
            return Poll::Ready(None);
        }
        polled += 1;
        let poll = call.as_mut().poll(context).map(Some);
        if poll.is_pending() && polled == polls { Poll::Ready(None) } else { poll }
    })
    .await
}
