//! Cursors: a position in a list, as text that a caller hands back.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{ColumnType, Error, Filter, Order, Result, Row, Table, Value};

/// How many bytes of a SHA-256 stand before the position, over the list and the position.
const SEAL: usize = 12;

/// Where a page begins: the position of the last row of the page before it.
///
/// Opaque, safe in URLs, good for the same list only (same entity, owner, sort, direction, search and filters; the page
/// size may change) and for as long as the program keeps its schema. It is sealed against accidents, not secret: it
/// shows the sort values of one row to whoever decodes it, who has seen that row. It gives no access: the owner comes
/// from the scope, never from the cursor.
///
/// Walking a list by cursor, every row that exists throughout and whose sort value does not change comes exactly once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor that a caller handed back. It is checked when it is used.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text to hand out.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The list that a cursor walks.
#[derive(Debug)]
pub(crate) struct Walk {
    table: &'static Table,
    columns: Vec<usize>,
    identity: String,
}

impl Walk {
    pub(crate) fn new(table: &'static Table, owner: Option<Uuid>, order: &[Order], filter: &Filter) -> Self {
        // The debug form names every part of the list; it is only ever hashed.
        let identity = format!("{}|{owner:?}|{order:?}|{filter:?}", table.name);
        Self { table, columns: order.iter().map(|order| order.column).collect(), identity }
    }

    /// The cursor that stands on this row.
    pub(crate) fn cursor(&self, row: &Row) -> Result<Cursor> {
        let values = self.columns.iter().map(|&column| encode(row.get(column).unwrap_or(&Value::Null)));
        let position = serde_json::Value::Array(values.collect()).to_string().into_bytes();
        let mut bytes = self.seal(&position).to_vec();
        bytes.extend(position);
        Ok(Cursor(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The position that a cursor stands for.
    pub(crate) fn position(&self, cursor: &Cursor) -> Result<Vec<Value>> {
        self.open(cursor).ok_or_else(|| {
            let reason = "not a cursor of this list: start again without one";
            Error::invalid(format!("list of {}", self.table.name), "cursor", reason)
        })
    }

    fn open(&self, cursor: &Cursor) -> Option<Vec<Value>> {
        let bytes = URL_SAFE_NO_PAD.decode(&cursor.0).ok()?;
        let (seal, position) = bytes.split_at_checked(SEAL)?;
        if seal != self.seal(position) {
            return None;
        }
        let values: Vec<serde_json::Value> = serde_json::from_slice(position).ok()?;
        if values.len() != self.columns.len() {
            return None;
        }
        let columns = self.columns.iter().map(|&column| self.table.columns[column].kind);
        columns.zip(values).map(|(kind, value)| decode(kind, value)).collect()
    }

    fn seal(&self, position: &[u8]) -> [u8; SEAL] {
        let digest =
            Sha256::new().chain_update(&self.identity).chain_update([0]).chain_update(position).finalize();
        let mut seal = [0; SEAL];
        seal.copy_from_slice(&digest[..SEAL]);
        seal
    }
}

fn encode(value: &Value) -> serde_json::Value {
    match value {
        Value::Null | Value::Json(_) => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::Text(value) => value.as_str().into(),
        Value::Bytes(value) => value.as_slice().into(),
        Value::Time(value) => value.timestamp_micros().into(),
        Value::Uuid(value) => value.to_string().into(),
    }
}

fn decode(kind: ColumnType, value: serde_json::Value) -> Option<Value> {
    if value.is_null() {
        return Some(Value::Null);
    }
    match kind {
        ColumnType::Bool => value.as_bool().map(Value::Bool),
        ColumnType::Int => value.as_i64().map(Value::Int),
        ColumnType::Float => value.as_f64().map(Value::Float),
        ColumnType::Text | ColumnType::Enum(_) => value.as_str().map(|text| Value::Text(text.to_owned())),
        ColumnType::Bytes => serde_json::from_value(value).ok().map(Value::Bytes),
        ColumnType::Time => DateTime::from_timestamp_micros(value.as_i64()?).map(Value::Time),
        ColumnType::Uuid => value.as_str()?.parse().ok().map(Value::Uuid),
        ColumnType::Json => None,
    }
}
