//! Values on their way to and from PostgreSQL.

use chrono::{DateTime, Utc};
use larder_core::{ColumnType, Row, Value, WrongType, canonical};
use larder_sql::Bind;
use sqlx::{
    Decode, Encode, Postgres, Row as _, Type, TypeInfo, ValueRef,
    error::BoxDynError,
    postgres::{PgArguments, PgHasArrayType, PgRow, PgValueRef},
    types::Json,
};
use uuid::Uuid;

/// Microseconds from 1970 to 2000, where PostgreSQL counts from.
const EPOCH: i64 = 946_684_800_000_000;

/// The values of a statement, encoded.
pub(crate) fn arguments(binds: Vec<Bind>) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    for bind in binds {
        match bind {
            Bind::One { kind, value } => one(&mut arguments, kind, value)?,
            Bind::Many { kind, values } => many(&mut arguments, kind, values)?,
        }
    }
    Ok(arguments)
}

/// Calls a function with the Rust type that a column's values are encoded as, and how to get it from a value.
macro_rules! with_type {
    ($kind:expr, $call:ident($($argument:expr),+)) => {
        match $kind {
            ColumnType::Bool => $call::<bool>($($argument),+, |value| match value { Value::Bool(it) => Some(it), _ => None }),
            ColumnType::Int => $call::<i64>($($argument),+, |value| match value { Value::Int(it) => Some(it), _ => None }),
            ColumnType::Float => $call::<f64>($($argument),+, |value| match value { Value::Float(it) => Some(it), _ => None }),
            ColumnType::Text | ColumnType::Enum(_) => {
                $call::<String>($($argument),+, |value| match value { Value::Text(it) => Some(it), _ => None })
            }
            ColumnType::Bytes => $call::<Vec<u8>>($($argument),+, |value| match value { Value::Bytes(it) => Some(it), _ => None }),
            ColumnType::Json => {
                $call::<Json<serde_json::Value>>($($argument),+, |value| match value { Value::Json(it) => Some(Json(it)), _ => None })
            }
            ColumnType::Time => $call::<DateTime<Utc>>($($argument),+, |value| match value { Value::Time(it) => Some(it), _ => None }),
            ColumnType::Uuid => $call::<Uuid>($($argument),+, |value| match value { Value::Uuid(it) => Some(it), _ => None }),
        }
    };
}

fn one(arguments: &mut PgArguments, kind: ColumnType, value: Value) -> Result<(), BoxDynError> {
    with_type!(kind, add_one(arguments, value))
}

fn many(arguments: &mut PgArguments, kind: ColumnType, values: Vec<Value>) -> Result<(), BoxDynError> {
    with_type!(kind, add_many(arguments, values))
}

fn add_one<T>(
    arguments: &mut PgArguments,
    value: Value,
    get: fn(Value) -> Option<T>,
) -> Result<(), BoxDynError>
where
    for<'q> T: Encode<'q, Postgres> + Type<Postgres> + 'q,
{
    sqlx::Arguments::add(arguments, nullable(value, get)?)
}

fn add_many<T>(
    arguments: &mut PgArguments,
    values: Vec<Value>,
    get: fn(Value) -> Option<T>,
) -> Result<(), BoxDynError>
where
    for<'q> T: Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType + 'q,
{
    let values = values.into_iter().map(|value| nullable(value, get)).collect::<Result<Vec<_>, _>>()?;
    sqlx::Arguments::add(arguments, values)
}

fn nullable<T>(value: Value, get: fn(Value) -> Option<T>) -> Result<Option<T>, WrongType> {
    if value.is_null() {
        return Ok(None);
    }
    get(value).map(Some).ok_or_else(|| WrongType("a value of another type than its placeholder".to_owned()))
}

/// A row with columns of these types.
///
/// # Errors
/// The position of the column that cannot be read, and why.
pub(crate) fn row(
    row: &PgRow,
    kinds: impl ExactSizeIterator<Item = ColumnType>,
) -> Result<Row, (usize, BoxDynError)> {
    let mut values = Vec::with_capacity(kinds.len());
    for (position, kind) in kinds.enumerate() {
        let raw = row.try_get_raw(position).map_err(|error| (position, error.into()))?;
        values.push(value(kind, raw).map_err(|error| (position, error))?);
    }
    Ok(Row::new(values))
}

fn value(kind: ColumnType, raw: PgValueRef<'_>) -> Result<Value, BoxDynError> {
    if raw.is_null() {
        return Ok(Value::Null);
    }
    Ok(match kind {
        ColumnType::Bool => Value::Bool(typed(raw)?),
        ColumnType::Int => Value::Int(integer(raw)?),
        ColumnType::Float => Value::Float(float(raw)?),
        ColumnType::Text | ColumnType::Enum(_) => Value::Text(typed(raw)?),
        ColumnType::Bytes => Value::Bytes(typed(raw)?),
        ColumnType::Json => Value::Json(canonical(typed::<Json<serde_json::Value>>(raw)?.0)?),
        ColumnType::Time => Value::Time(time(raw)?),
        ColumnType::Uuid => Value::Uuid(typed(raw)?),
    })
}

fn typed<'r, T: Decode<'r, Postgres> + Type<Postgres>>(raw: PgValueRef<'r>) -> Result<T, BoxDynError> {
    check_type::<T>(&raw)?;
    T::decode(raw)
}

fn check_type<T: Type<Postgres>>(raw: &PgValueRef<'_>) -> Result<(), BoxDynError> {
    let found = raw.type_info();
    if T::compatible(&found) {
        return Ok(());
    }
    Err(format!("the column is of the type {}, not {}", found.name(), T::type_info().name()).into())
}

/// An integer of any width: larder's own columns are `bigint`, those of a caller's SQL may be narrower.
fn integer(raw: PgValueRef<'_>) -> Result<i64, BoxDynError> {
    match raw.type_info().name() {
        "INT2" => i16::decode(raw).map(i64::from),
        "INT4" => i32::decode(raw).map(i64::from),
        _ => typed(raw),
    }
}

fn float(raw: PgValueRef<'_>) -> Result<f64, BoxDynError> {
    match raw.type_info().name() {
        "FLOAT4" => f32::decode(raw).map(f64::from),
        _ => typed(raw),
    }
}

/// A time, without the panic of sqlx's own decoding for `infinity` and what else is outside chrono's range.
fn time(raw: PgValueRef<'_>) -> Result<DateTime<Utc>, BoxDynError> {
    check_type::<DateTime<Utc>>(&raw)?;
    let since_2000 = i64::from_be_bytes(raw.as_bytes()?.try_into()?);
    let time = since_2000.checked_add(EPOCH).and_then(DateTime::from_timestamp_micros);
    time.ok_or_else(|| "the time is out of range".into())
}
