//! Values as keys of maps.

use std::sync::Arc;

use crate::Value;

/// The values of a key, none of them NULL. Cheap to clone: every index holds some.
pub(super) type Key = Arc<[Part]>;

/// One value of a key: like [`Value`], but with a total order and equality, and without NULL.
///
/// Two parts of one column are equal exactly when the values are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Bool(bool),
    Int(i64),
    Float(u64),
    Text(String),
    Bytes(Vec<u8>),
    Json(String),
    Time(i64, u32),
    Uuid([u8; 16]),
}

impl Part {
    /// `None` for NULL.
    pub(super) fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            // Minus zero equals zero; adding zero makes it so.
            Value::Float(value) => Self::Float((value + 0.0).to_bits()),
            Value::Text(value) => Self::Text(value.clone()),
            Value::Bytes(value) => Self::Bytes(value.clone()),
            Value::Json(value) => {
                // The order of an object's keys means nothing; serde_json may be built to keep it.
                let mut value = value.clone();
                value.sort_all_objects();
                Self::Json(value.to_string())
            }
            Value::Time(value) => Self::Time(value.timestamp(), value.timestamp_subsec_nanos()),
            Value::Uuid(value) => Self::Uuid(value.into_bytes()),
        })
    }
}

/// The key that a row holds in `columns`; `None` when one of them is NULL, as then the row holds no such key.
pub(super) fn key_of(values: &[Value], columns: &[usize]) -> Option<Key> {
    columns.iter().map(|&column| values.get(column).and_then(Part::of)).collect()
}

/// The key that consists of these values; `None` when one of them is NULL.
pub(super) fn key(values: &[Value]) -> Option<Key> {
    values.iter().map(Part::of).collect()
}
