//! JSON as both databases can keep it.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Number, Value as JsonValue};

use crate::{ColumnType, ColumnValue, Value, WrongType};

/// How deep arrays and objects may nest. `serde_json` reads 128 levels; what could be written and not read again is
/// refused before it is written.
pub const MAX_JSON_DEPTH: usize = 100;

/// The form in which JSON is stored, so that a value read from any database equals the one that was written:
///
/// - a float with an integral value in the range of `i64` or `u64` becomes that integer (`jsonb` keeps no difference
///   between `1e2` and `100`);
/// - text and keys holding NUL are refused (`jsonb` cannot keep it);
/// - nesting deeper than [`MAX_JSON_DEPTH`] is refused.
///
/// The order of an object's keys means nothing, and of a duplicate key in JSON text the last one counts, as
/// `serde_json` and `jsonb` have it.
///
/// # Errors
/// When the value holds NUL or nests too deeply.
pub fn canonical(value: JsonValue) -> Result<JsonValue, WrongType> {
    canonical_at(value, 0)
}

fn canonical_at(value: JsonValue, depth: usize) -> Result<JsonValue, WrongType> {
    if depth > MAX_JSON_DEPTH {
        return Err(WrongType(format!("JSON nested deeper than {MAX_JSON_DEPTH} levels")));
    }
    match value {
        JsonValue::Number(number) => Ok(JsonValue::Number(canonical_number(number))),
        JsonValue::String(text) => without_nul(text).map(JsonValue::String),
        JsonValue::Array(items) => {
            let items = items.into_iter().map(|item| canonical_at(item, depth + 1));
            items.collect::<Result<Vec<_>, _>>().map(JsonValue::Array)
        }
        JsonValue::Object(entries) => {
            let entries = entries
                .into_iter()
                .map(|(key, value)| Ok((without_nul(key)?, canonical_at(value, depth + 1)?)));
            entries.collect::<Result<serde_json::Map<_, _>, _>>().map(JsonValue::Object)
        }
        other => Ok(other),
    }
}

fn without_nul(text: String) -> Result<String, WrongType> {
    if text.contains('\0') {
        return Err(WrongType("JSON text must not hold the NUL character (\\u0000)".to_owned()));
    }
    Ok(text)
}

// The casts are exact: the bounds are powers of two and the value is integral.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn canonical_number(number: Number) -> Number {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 => {
            if (-TWO_TO_63..TWO_TO_63).contains(&float) {
                Number::from(float as i64)
            } else if (0.0..TWO_TO_64).contains(&float) {
                Number::from(float as u64)
            } else {
                number
            }
        }
        _ => number,
    }
}

/// The size of a JSON value's text, near enough for a limit: it counts no escapes.
pub(crate) fn json_size(json: &JsonValue) -> usize {
    match json {
        JsonValue::Null | JsonValue::Bool(_) | JsonValue::Number(_) => 5,
        JsonValue::String(text) => text.len() + 2,
        JsonValue::Array(items) => 2 + items.iter().map(|item| json_size(item) + 1).sum::<usize>(),
        JsonValue::Object(entries) => {
            2 + entries.iter().map(|(key, value)| key.len() + 4 + json_size(value)).sum::<usize>()
        }
    }
}

/// A typed JSON column: any type that serde can write and read.
///
/// ```
/// # use larder_core::{ColumnValue, Json};
/// let headers = Json(std::collections::BTreeMap::from([("accept".to_owned(), "text/html".to_owned())]));
/// let value = headers.clone().into_value()?;
/// assert_eq!(Json::from_value(value)?, headers);
/// # Ok::<(), larder_core::WrongType>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json<T>(pub T);

impl<T: Serialize + DeserializeOwned> ColumnValue for Json<T> {
    const TYPE: ColumnType = ColumnType::Json;

    fn into_value(self) -> Result<Value, WrongType> {
        let json = serde_json::to_value(self.0).map_err(|error| WrongType(error.to_string()))?;
        json.into_value()
    }

    fn from_value(value: Value) -> Result<Self, WrongType> {
        let json = JsonValue::from_value(value)?;
        serde_json::from_value(json).map(Json).map_err(|error| WrongType(error.to_string()))
    }
}
