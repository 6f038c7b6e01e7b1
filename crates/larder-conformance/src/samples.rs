//! Values and rows for any table, made from its metadata: what is checked with them cannot forget a column.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use larder::{Column, ColumnType, Entity, Literal, Rule, Source, Table, Value, fold, model::User};
use serde_json::json;
use uuid::Uuid;

use crate::beginning;

/// A value that a column may hold, another for each number: neither NULL, nor the column's default, nor zero or empty.
pub(crate) fn sample(column: &Column, number: u32) -> Value {
    match column.kind {
        ColumnType::Bool => Value::Bool(column.default != Some(Literal::Bool(true))),
        ColumnType::Int => Value::Int(sample_int(column, i64::from(number))),
        ColumnType::Float => Value::Float(0.1 + f64::from(number) * 1.5),
        ColumnType::Text => Value::Text(sample_text(column, number)),
        ColumnType::Bytes => Value::Bytes([[0, 0xff, b'\'', 1], number.to_be_bytes()].concat()),
        // It is the content of a message too.
        ColumnType::Json => Value::Json(json!([{
            "type": "text",
            "text": format!("é {number}"),
            "more": {"b": [1, null, 0.1, 9_007_199_254_740_993_i64], "a": {}},
        }])),
        ColumnType::Time => Value::Time(sample_time(number)),
        ColumnType::Uuid => Value::Uuid(Uuid::from_u128((1 << 100) + u128::from(number))),
        ColumnType::Enum(kind) => {
            let others = kind.variants.iter().filter(|text| column.default != Some(Literal::Text(text)));
            let others: Vec<_> = others.collect();
            Value::Text((*others[number as usize % others.len()]).to_owned())
        }
    }
}

fn sample_int(column: &Column, number: i64) -> i64 {
    let (mut least, mut greatest) = (-1_000_000_000_007, i64::MAX);
    for rule in column.all_rules() {
        if let Rule::Range { min, max } = rule {
            (least, greatest) = (least.max(*min), greatest.min(*max));
        }
    }
    let some = least + 1 + number.rem_euclid((greatest - 1).saturating_sub(least));
    match column.default {
        Some(Literal::Int(default)) if default == some => some + 1,
        _ if some == 0 => some + 1,
        _ => some,
    }
}

fn sample_text(column: &Column, number: u32) -> String {
    let mut text = format!("Text é 😀 % {number}");
    for rule in column.all_rules() {
        match rule {
            Rule::Url => text = format!("https://example.org/{number}?q=é"),
            Rule::Email => text = format!("user.{number}@example.org"),
            Rule::Length { min, .. } => {
                let missing = (*min as usize).saturating_sub(text.chars().count());
                text.push_str(&"x".repeat(missing));
            }
            Rule::Range { .. } => {}
        }
    }
    text
}

fn sample_time(number: u32) -> DateTime<Utc> {
    beginning() + TimeDelta::days(number.into()) + TimeDelta::microseconds(123_457)
}

/// Values that break what a column promises, each alone: its NOT NULL, its type, each of its rules.
pub(crate) fn broken(column: &Column) -> Vec<Value> {
    let mut values = Vec::new();
    if !column.nullable {
        values.push(Value::Null);
    }
    values.push(if column.kind == ColumnType::Bool { Value::Int(1) } else { Value::Bool(true) });
    values.extend(match column.kind {
        ColumnType::Enum(_) => vec![Value::Text("purple".into()), Value::Text(String::new())],
        ColumnType::Time => vec![year(0), year(10_000)],
        _ => Vec::new(),
    });
    for rule in column.all_rules() {
        match *rule {
            Rule::Length { min, max } => {
                let long = "é".repeat(max as usize + 1);
                let short = min.checked_sub(1).map(|length| "é".repeat(length as usize));
                values.extend(short.into_iter().chain([long]).map(Value::Text));
            }
            Rule::Range { min, max } => {
                let outside = [min.checked_sub(1), max.checked_add(1)];
                values.extend(outside.into_iter().flatten().map(Value::Int));
            }
            Rule::Url => values.push(Value::Text("ftp://example.org/".into())),
            Rule::Email => values.push(Value::Text("no address".into())),
        }
    }
    values
}

/// An instant in this year, which may be one that is not allowed.
pub(crate) fn year(year: i32) -> Value {
    let midsummer = chrono::NaiveDate::from_ymd_opt(year, 7, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
    Value::Time(midsummer.unwrap_or_default().and_utc())
}

/// How far apart the numbers of rows are that [`row_of_each`] makes of one number for one table.
const COPY: u32 = 1 << 20;

/// A row of each of these tables (parents before children), search copies included, in which every column holds a
/// [`sample`]; of a table that refers to itself two, the first with NULL there. Rows of different numbers (below a million)
/// have no key in common.
pub(crate) fn row_of_each(tables: &[&'static Table], number: u32) -> Vec<(&'static Table, Vec<Value>)> {
    rows_beside(HashMap::new(), tables.iter().copied(), number)
}

/// As [`row_of_each`], of those tables that have an owner, and that is the user of this row.
pub(crate) fn row_of_each_owned(
    tables: &[&'static Table],
    user: &[Value],
    number: u32,
) -> Vec<(&'static Table, Vec<Value>)> {
    let made = HashMap::from([(User::TABLE.name, user.to_vec())]);
    rows_beside(made, tables.iter().copied().filter(|table| table.owner.is_some()), number)
}

fn rows_beside(
    mut made: HashMap<&'static str, Vec<Value>>,
    tables: impl Iterator<Item = &'static Table>,
    number: u32,
) -> Vec<(&'static Table, Vec<Value>)> {
    let mut rows = Vec::new();
    for table in tables {
        let refers_to_itself = table.foreign_keys.iter().any(|key| (key.parent)() == table);
        for copy in 0..=u32::from(refers_to_itself) {
            let row = sample_row(table, &made, number + COPY * copy);
            made.insert(table.name, row.clone());
            rows.push((table, row));
        }
    }
    rows
}

fn sample_row(table: &'static Table, made: &HashMap<&str, Vec<Value>>, number: u32) -> Vec<Value> {
    let mut row: Vec<_> = table.columns.iter().map(|column| sample(column, number)).collect();
    for key in table.foreign_keys {
        let parent = (key.parent)();
        let held = made.get(parent.name);
        for (&column, name) in key.columns.iter().zip(key.parent_columns) {
            let in_parent = held.zip(parent.position(name)).map(|(row, position)| row[position].clone());
            match in_parent {
                Some(value) => row[column] = value,
                None if table.columns[column].nullable => row[column] = Value::Null,
                None => {}
            }
        }
    }
    with_search_copies(table, row)
}

/// The row with its search copies as core writes them.
pub(crate) fn with_search_copies(table: &'static Table, mut row: Vec<Value>) -> Vec<Value> {
    for position in table.visible..table.columns.len() {
        if let Source::Folded { of, text } = table.columns[position].source {
            row[position] = text(&row[of]).map_or(Value::Null, |text| Value::Text(fold(&text)));
        }
    }
    row
}

/// The value as JSON, as a companion reads it.
pub(crate) fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::Text(value) => json!(value),
        Value::Bytes(value) => json!(value),
        Value::Json(value) => value.clone(),
        Value::Time(value) => json!(value),
        Value::Uuid(value) => json!(value),
    }
}
