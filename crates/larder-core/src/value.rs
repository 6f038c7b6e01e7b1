//! Values as they travel between core and a store, and the Rust types that columns hold.

use std::{cmp::Ordering, fmt};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{ColumnType, Rule, canonical, json::json_size};

/// A value of one column of one row.
///
/// A store keeps every value exactly: what was written is read again, equal by `==`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// [`ColumnType::Bool`].
    Bool(bool),
    /// [`ColumnType::Int`].
    Int(i64),
    /// [`ColumnType::Float`]; finite, and never minus zero.
    Float(f64),
    /// [`ColumnType::Text`] and [`ColumnType::Enum`]; never holds NUL.
    Text(String),
    /// [`ColumnType::Bytes`].
    Bytes(Vec<u8>),
    /// [`ColumnType::Json`], in the [canonical](crate::canonical) form.
    Json(serde_json::Value),
    /// [`ColumnType::Time`]; whole microseconds, years 1 to 9999.
    Time(DateTime<Utc>),
    /// [`ColumnType::Uuid`].
    Uuid(Uuid),
}

impl Value {
    /// True for [`Value::Null`].
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// About how many bytes it takes: of text and bytes the length, of JSON the length of its text without escapes, of
    /// anything else 16.
    pub fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Json(json) => json_size(json),
            _ => 16,
        }
    }

    /// The order that every store sorts and compares by: numbers by size, text, bytes and ids by their bytes, times by
    /// instant, `false` before `true`. `None` when either is null, when the types differ, and for JSON, which has no
    /// order.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Text(a), Self::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) => Some(a.cmp(b)),
            (Self::Uuid(a), Self::Uuid(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            _ => None,
        }
    }
}

/// The instant in whole microseconds, cut off; a leap second (23:59:60), which no database keeps, is the second after it.
pub(crate) fn whole_microseconds(time: DateTime<Utc>) -> DateTime<Utc> {
    // What is beyond the range of microseconds is beyond the years that can be stored, and refused as that.
    DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time)
}

/// A value could not be turned into, or made from, the Rust type of its field. Says why, in a person's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongType(pub String);

impl fmt::Display for WrongType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongType {}

impl WrongType {
    fn found(expected: &str, found: &Value) -> Self {
        // The value itself may be private: only its type is named.
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::Json(_) => "JSON",
            Value::Time(_) => "a time",
            Value::Uuid(_) => "a UUID",
        };
        Self(format!("expected {expected}, found {found}"))
    }
}

/// A Rust type that can be the type of an entity's field.
///
/// Implemented for `bool`, the integers up to 64 bits that fit an `i64`, `f64`, `String`, `Vec<u8>`, `Vec<String>`,
/// [`serde_json::Value`], [`Json<T>`](crate::Json), `DateTime<Utc>`, [`Uuid`], [`Id<E>`](crate::Id), enumerations that
/// derive `EnumText`, and `Option` of each.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the type of an entity's field",
    label = "no column holds this",
    note = "possible are `bool`, `i8` to `i64`, `u8` to `u32`, `f64`, `String`, `Vec<u8>`, `Vec<String>`, `DateTime<Utc>`, `Uuid`, `Id<Entity>`, `serde_json::Value`, and `Option` of each",
    note = "derive `EnumText` for an enum without fields; write `Json<{Self}>` for what serde reads and writes as JSON"
)]
pub trait ColumnValue: Sized {
    /// The column type that holds it.
    const TYPE: ColumnType;
    /// True for `Option` alone.
    const NULLABLE: bool = false;
    /// Rules that the type itself brings (the range of a `u32`).
    const RULES: &'static [Rule] = &[];

    /// The value to be written.
    ///
    /// # Errors
    /// When this value cannot be stored in such a column.
    fn into_value(self) -> Result<Value, WrongType>;

    /// The Rust value of what was read.
    ///
    /// # Errors
    /// When the value is of another type, or not in this type's range.
    fn from_value(value: Value) -> Result<Self, WrongType>;
}

macro_rules! column_value {
    ($type:ty, $variant:ident, $name:literal) => {
        impl ColumnValue for $type {
            const TYPE: ColumnType = ColumnType::$variant;

            fn into_value(self) -> Result<Value, WrongType> {
                Ok(Value::$variant(self))
            }

            fn from_value(value: Value) -> Result<Self, WrongType> {
                match value {
                    Value::$variant(value) => Ok(value),
                    other => Err(WrongType::found($name, &other)),
                }
            }
        }
    };
}

column_value!(bool, Bool, "a boolean");
column_value!(i64, Int, "an integer");
column_value!(String, Text, "text");
column_value!(Vec<u8>, Bytes, "bytes");
column_value!(Uuid, Uuid, "a UUID");

macro_rules! narrow_integer {
    ($($type:ty),+) => {$(
        impl ColumnValue for $type {
            const TYPE: ColumnType = ColumnType::Int;
            const RULES: &'static [Rule] =
                &[Rule::Range { min: <$type>::MIN as i64, max: <$type>::MAX as i64 }];

            fn into_value(self) -> Result<Value, WrongType> {
                Ok(Value::Int(i64::from(self)))
            }

            fn from_value(value: Value) -> Result<Self, WrongType> {
                let wide = i64::from_value(value)?;
                Self::try_from(wide).map_err(|_| {
                    WrongType(format!("{wide} is not between {} and {}", <$type>::MIN, <$type>::MAX))
                })
            }
        }
    )+};
}

narrow_integer!(i8, i16, i32, u8, u16, u32);

impl ColumnValue for f64 {
    const TYPE: ColumnType = ColumnType::Float;

    fn into_value(self) -> Result<Value, WrongType> {
        if !self.is_finite() {
            return Err(WrongType("not a finite number".to_owned()));
        }
        // SQLite keeps no minus zero, so neither does larder.
        Ok(Value::Float(if self == 0.0 { 0.0 } else { self }))
    }

    fn from_value(value: Value) -> Result<Self, WrongType> {
        match value {
            Value::Float(value) => Ok(value),
            other => Err(WrongType::found("a float", &other)),
        }
    }
}

impl ColumnValue for DateTime<Utc> {
    const TYPE: ColumnType = ColumnType::Time;

    fn into_value(self) -> Result<Value, WrongType> {
        Ok(Value::Time(whole_microseconds(self)))
    }

    fn from_value(value: Value) -> Result<Self, WrongType> {
        match value {
            Value::Time(value) => Ok(value),
            other => Err(WrongType::found("a time", &other)),
        }
    }
}

impl ColumnValue for serde_json::Value {
    const TYPE: ColumnType = ColumnType::Json;

    fn into_value(self) -> Result<Value, WrongType> {
        canonical(self).map(Value::Json)
    }

    fn from_value(value: Value) -> Result<Self, WrongType> {
        match value {
            Value::Json(value) => Ok(value),
            other => Err(WrongType::found("JSON", &other)),
        }
    }
}

impl ColumnValue for Vec<String> {
    const TYPE: ColumnType = ColumnType::Json;

    fn into_value(self) -> Result<Value, WrongType> {
        serde_json::Value::from(self).into_value()
    }

    fn from_value(value: Value) -> Result<Self, WrongType> {
        let json = serde_json::Value::from_value(value)?;
        serde_json::from_value(json).map_err(|error| WrongType(error.to_string()))
    }
}

impl<T: ColumnValue> ColumnValue for Option<T> {
    const TYPE: ColumnType = T::TYPE;
    const NULLABLE: bool = true;
    const RULES: &'static [Rule] = T::RULES;

    fn into_value(self) -> Result<Value, WrongType> {
        self.map_or(Ok(Value::Null), T::into_value)
    }

    fn from_value(value: Value) -> Result<Self, WrongType> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}
