//! Values on their way into statements and out of rows.

use chrono::{DateTime, Datelike};
use larder_core::{ColumnType, Value, canonical};
use rusqlite::types::{ToSqlOutput, ValueRef};
use uuid::Uuid;

/// A value as SQLite keeps it.
pub(crate) struct Param<'a>(pub(crate) &'a Value);

impl rusqlite::ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Bool(value) => ToSqlOutput::Borrowed(ValueRef::Integer(i64::from(*value))),
            Value::Int(value) => ToSqlOutput::Borrowed(ValueRef::Integer(*value)),
            Value::Float(value) => ToSqlOutput::Borrowed(ValueRef::Real(*value)),
            Value::Text(value) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
            Value::Bytes(value) => ToSqlOutput::Borrowed(ValueRef::Blob(value)),
            Value::Json(value) => ToSqlOutput::Owned(rusqlite::types::Value::Text(value.to_string())),
            Value::Time(value) => ToSqlOutput::Borrowed(ValueRef::Integer(value.timestamp_micros())),
            Value::Uuid(value) => ToSqlOutput::Borrowed(ValueRef::Blob(value.as_bytes())),
        })
    }
}

/// The value of a column of this type; `None` when it is none, which [`wrong`] says in words.
#[inline]
pub(crate) fn read(kind: ColumnType, value: ValueRef<'_>) -> Option<Value> {
    match (kind, value) {
        (_, ValueRef::Null) => Some(Value::Null),
        (ColumnType::Bool, ValueRef::Integer(0)) => Some(Value::Bool(false)),
        (ColumnType::Bool, ValueRef::Integer(1)) => Some(Value::Bool(true)),
        (ColumnType::Int, ValueRef::Integer(value)) => Some(Value::Int(value)),
        (ColumnType::Float, ValueRef::Real(value)) => Some(Value::Float(value)),
        (ColumnType::Text | ColumnType::Enum(_), ValueRef::Text(text)) => {
            std::str::from_utf8(text).ok().map(|text| Value::Text(text.to_owned()))
        }
        (ColumnType::Bytes, ValueRef::Blob(bytes)) => Some(Value::Bytes(bytes.to_vec())),
        (ColumnType::Json, ValueRef::Text(text)) => {
            serde_json::from_slice(text).ok().and_then(|json| canonical(json).ok()).map(Value::Json)
        }
        (ColumnType::Time, ValueRef::Integer(microseconds)) => DateTime::from_timestamp_micros(microseconds)
            .filter(|time| (1..=9999).contains(&time.year()))
            .map(Value::Time),
        (ColumnType::Uuid, ValueRef::Blob(bytes)) => Uuid::from_slice(bytes).ok().map(Value::Uuid),
        _ => None,
    }
}

/// What was found instead of a value of this type, without the value itself.
pub(crate) fn wrong(kind: ColumnType, value: ValueRef<'_>) -> String {
    format!("expected {kind:?}, found {:?}", value.data_type())
}
