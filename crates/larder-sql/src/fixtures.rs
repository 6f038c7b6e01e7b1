//! Tables for the tests of rendering.

use larder_core::{
    Column, ColumnType, Condition, EnumType, ForeignKey, Index, Literal, Rule, Source, Table, Unique, Value,
};
use uuid::Uuid;

use crate::{Bind, Statement};

const fn column(name: &'static str, kind: ColumnType) -> Column {
    Column { name, kind, nullable: false, default: None, type_rules: &[], rules: &[], source: Source::Field }
}

pub(crate) static STATUS: EnumType = EnumType { name: "job_status", variants: &["ON", "it's off"] };

pub(crate) static USERS: Table = Table {
    name: "users",
    entity: "User",
    columns: &[
        column("id", ColumnType::Uuid),
        Column { nullable: true, rules: &[Rule::Email], ..column("email", ColumnType::Text) },
    ],
    visible: 2,
    primary_key: &[0],
    uniques: &[Unique { columns: &[1] }],
    foreign_keys: &[],
    indexes: &[],
    owner: None,
    created_at: None,
    updated_at: None,
};

/// id, user_id, status, due (may be NULL), count, name_search (not visible).
pub(crate) static JOBS: Table = Table {
    name: "jobs",
    entity: "Job",
    columns: &[
        column("id", ColumnType::Uuid),
        column("user_id", ColumnType::Uuid),
        Column { default: Some(Literal::Text("ON")), ..column("status", ColumnType::Enum(&STATUS)) },
        Column { nullable: true, ..column("due", ColumnType::Time) },
        Column {
            default: Some(Literal::Int(0)),
            type_rules: &[Rule::Range { min: -128, max: 127 }],
            rules: &[Rule::Range { min: 0, max: i64::MAX }],
            ..column("count", ColumnType::Int)
        },
        Column {
            source: Source::Folded { of: 2, text: |_| None },
            ..column("name_search", ColumnType::Text)
        },
    ],
    visible: 5,
    primary_key: &[0],
    uniques: &[Unique { columns: &[1, 0] }],
    foreign_keys: &[ForeignKey { columns: &[1], parent: || &USERS, parent_columns: &["id"] }],
    indexes: &[
        Index { columns: &[1, 0], only: None },
        Index { columns: &[3], only: Some(Condition { column: 2, equals: Literal::Text("ON") }) },
    ],
    owner: Some(1),
    created_at: None,
    updated_at: None,
};

/// One column of each type that SQLite does not know, and each other rule; its key has two columns.
pub(crate) static ODDS: Table = Table {
    name: "odds",
    entity: "Odd",
    columns: &[
        column("a", ColumnType::Text),
        column("b", ColumnType::Int),
        Column { default: Some(Literal::Bool(true)), ..column("flag", ColumnType::Bool) },
        Column { default: Some(Literal::Json("{}")), ..column("json", ColumnType::Json) },
        Column { nullable: true, ..column("blob", ColumnType::Bytes) },
        Column { default: Some(Literal::Float(1.0)), ..column("ratio", ColumnType::Float) },
        Column { rules: &[Rule::Url, Rule::Length { min: 1, max: 9 }], ..column("url", ColumnType::Text) },
    ],
    visible: 7,
    primary_key: &[0, 1],
    uniques: &[],
    foreign_keys: &[],
    indexes: &[],
    owner: None,
    created_at: None,
    updated_at: None,
};

pub(crate) fn uuid(number: u128) -> Value {
    Value::Uuid(Uuid::from_u128(number))
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// The values of a statement's placeholders; arrays one after the other.
pub(crate) fn values(statement: &Statement) -> Vec<Value> {
    let values = statement.binds.iter().flat_map(|bind| match bind {
        Bind::One { value, .. } | Bind::Pattern { value } => vec![value.clone()],
        Bind::Many { values, .. } => values.clone(),
    });
    values.collect()
}
