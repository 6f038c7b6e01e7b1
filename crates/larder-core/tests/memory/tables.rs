//! Three tables written by hand, and short ways to say a verb.

use chrono::{DateTime, Utc};
use larder_core::{
    Assign, Column, ColumnType, Count, Delete, EnumType, ErrorKind, Filter, ForeignKey, Get, Insert, Key,
    MemoryStore, Op, Order, Outcome, Result, Row, Rule, Select, SortDirection, Source, Store, Table, Unique,
    Update, Value, Verb,
};
use uuid::Uuid;

const STATUS: EnumType = EnumType { name: "status", variants: &["ACTIVE", "PAUSED"] };

pub(crate) const fn column(name: &'static str, kind: ColumnType, nullable: bool) -> Column {
    Column { name, kind, nullable, default: None, type_rules: &[], rules: &[], source: Source::Field }
}

pub(crate) const fn table(name: &'static str, entity: &'static str, columns: &'static [Column]) -> Table {
    Table {
        name,
        entity,
        columns,
        visible: columns.len(),
        primary_key: &[0],
        uniques: &[],
        foreign_keys: &[],
        indexes: &[],
        owner: None,
        created_at: None,
        updated_at: None,
    }
}

pub(crate) const EMAIL: usize = 1;

pub(crate) static USERS: Table = Table {
    uniques: &[Unique { columns: &[EMAIL] }],
    ..table(
        "users",
        "User",
        &[
            column("id", ColumnType::Uuid, false),
            column("email", ColumnType::Text, true),
            column("name", ColumnType::Text, true),
        ],
    )
};

pub(crate) const ID: usize = 0;
pub(crate) const USER: usize = 1;
pub(crate) const NAME: usize = 2;
pub(crate) const STATE: usize = 3;
pub(crate) const RUNS: usize = 4;
pub(crate) const DUE: usize = 5;
pub(crate) const DATA: usize = 6;
pub(crate) const WEIGHT: usize = 7;
pub(crate) const SEARCH: usize = 8;

pub(crate) static JOBS: Table = Table {
    visible: SEARCH,
    uniques: &[Unique { columns: &[USER, ID] }, Unique { columns: &[USER, NAME] }],
    foreign_keys: &[ForeignKey { columns: &[USER], parent: || &USERS, parent_columns: &["id"] }],
    owner: Some(USER),
    ..table(
        "jobs",
        "Job",
        &[
            column("id", ColumnType::Uuid, false),
            column("user_id", ColumnType::Uuid, false),
            Column { rules: &[Rule::Length { min: 1, max: 20 }], ..column("name", ColumnType::Text, false) },
            column("status", ColumnType::Enum(&STATUS), false),
            Column {
                rules: &[Rule::Range { min: 0, max: i64::MAX }],
                ..column("runs", ColumnType::Int, true)
            },
            column("due", ColumnType::Time, true),
            column("data", ColumnType::Json, true),
            column("weight", ColumnType::Float, true),
            column("name_search", ColumnType::Text, true),
        ],
    )
};

pub(crate) const JOB: usize = 2;
pub(crate) const REPLY_TO: usize = 3;
pub(crate) const TEXT: usize = 4;

pub(crate) static MESSAGES: Table = Table {
    uniques: &[Unique { columns: &[JOB, TEXT] }],
    foreign_keys: &[
        ForeignKey { columns: &[USER, JOB], parent: || &JOBS, parent_columns: &["user_id", "id"] },
        ForeignKey { columns: &[REPLY_TO], parent: || &MESSAGES, parent_columns: &["id"] },
    ],
    owner: Some(USER),
    ..table(
        "messages",
        "Message",
        &[
            column("id", ColumnType::Uuid, false),
            column("user_id", ColumnType::Uuid, false),
            column("job_id", ColumnType::Uuid, true),
            column("reply_to", ColumnType::Uuid, true),
            column("text", ColumnType::Text, false),
        ],
    )
};

/// An empty database.
pub(crate) fn empty() -> MemoryStore {
    MemoryStore::new([&USERS, &JOBS, &MESSAGES]).unwrap()
}

/// A database with the users 1 and 2.
pub(crate) async fn with_users() -> MemoryStore {
    let store = empty();
    insert(&store, &USERS, vec![user(1), user(2)]).await.unwrap();
    store
}

pub(crate) fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub(crate) fn id(n: u128) -> Value {
    Value::Uuid(uuid(n))
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(crate) fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap()
}

pub(crate) fn time(micros: i64) -> Value {
    Value::Time(instant(micros))
}

pub(crate) fn user(n: u128) -> Vec<Value> {
    vec![id(n), text(&format!("{n}@example.com")), Value::Null]
}

pub(crate) fn job(n: u128, owner: u128) -> Vec<Value> {
    let name = format!("job {n}");
    vec![
        id(n),
        id(owner),
        text(&name),
        text("PAUSED"),
        Value::Int(0),
        Value::Null,
        Value::Null,
        Value::Null,
        text(&name),
    ]
}

pub(crate) fn message(n: u128, owner: u128, job: u128) -> Vec<Value> {
    vec![id(n), id(owner), id(job), Value::Null, text(&format!("message {n}"))]
}

/// The row with another value in one column.
pub(crate) fn with(mut row: Vec<Value>, column: usize, value: Value) -> Vec<Value> {
    row[column] = value;
    row
}

pub(crate) fn primary(n: u128) -> Key {
    Key { columns: &[ID], values: vec![id(n)] }
}

pub(crate) fn compare(column: usize, op: Op, value: Value) -> Filter {
    Filter::Compare { column, op, value }
}

pub(crate) fn by(column: usize, direction: SortDirection) -> Order {
    Order { column, direction }
}

pub(crate) fn insertion(table: &'static Table, rows: Vec<Vec<Value>>) -> Verb {
    Verb::Insert(Insert { table, rows })
}

pub(crate) async fn insert(
    store: &MemoryStore,
    table: &'static Table,
    rows: Vec<Vec<Value>>,
) -> Result<Outcome> {
    store.execute(insertion(table, rows)).await
}

pub(crate) fn get(table: &'static Table, n: u128) -> Verb {
    Verb::Get(Get { table, owner: None, key: primary(n) })
}

pub(crate) fn count(table: &'static Table) -> Verb {
    Verb::Count(Count { table, owner: None, filter: Filter::always() })
}

/// Everything, in the order of the id.
pub(crate) fn everything(table: &'static Table) -> Select {
    Select {
        table,
        owner: None,
        filter: Filter::always(),
        order: vec![by(ID, SortDirection::Asc)],
        after: None,
        offset: 0,
        limit: None,
    }
}

/// An update of the row with this id that returns it.
pub(crate) fn change(table: &'static Table, n: u128, set: Vec<(usize, Assign)>) -> Update {
    Update { table, owner: None, key: Some(primary(n)), filter: Filter::always(), set, returning: true }
}

/// A deletion of the row with this id.
pub(crate) fn removal(table: &'static Table, n: u128) -> Delete {
    Delete {
        table,
        owner: None,
        key: Some(primary(n)),
        filter: Filter::always(),
        limit: None,
        returning: false,
    }
}

pub(crate) async fn select(store: &MemoryStore, select: Select) -> Vec<Row> {
    rows(store.execute(Verb::Select(select)).await.unwrap())
}

pub(crate) fn rows(outcome: Outcome) -> Vec<Row> {
    match outcome {
        Outcome::Rows(rows) => rows,
        other => panic!("rows, not {other:?}"),
    }
}

/// The numbers of the ids, in the order of the rows.
pub(crate) fn ids(rows: &[Row]) -> Vec<u128> {
    rows.iter()
        .map(|row| match row.get(ID) {
            Some(Value::Uuid(id)) => id.as_u128(),
            other => panic!("an id, not {other:?}"),
        })
        .collect()
}

/// All rows of all tables: two databases with equal answers hold the same.
pub(crate) async fn contents(store: &MemoryStore) -> Vec<Vec<Row>> {
    let mut contents = Vec::new();
    for table in [&USERS, &JOBS, &MESSAGES] {
        contents.push(select(store, everything(table)).await);
    }
    contents
}

pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind().clone()
}

pub(crate) fn conflict(entity: &'static str, field: &'static str) -> ErrorKind {
    ErrorKind::Conflict { entity: entity.into(), field: field.into() }
}

pub(crate) fn missing_parent(entity: &'static str, parent: &'static str) -> ErrorKind {
    ErrorKind::MissingParent { entity: entity.into(), parent: parent.into() }
}

/// The field of an `Invalid`.
pub(crate) fn invalid_field<T: std::fmt::Debug>(result: Result<T>) -> String {
    match kind(result) {
        ErrorKind::Invalid { field, .. } => field.into_owned(),
        other => panic!("Invalid, not {other:?}"),
    }
}
