//! Values on their way to and from PostgreSQL, in its binary format.

use std::error::Error as StdError;

use bytes::{BufMut, BytesMut};
use chrono::DateTime;
use larder_core::{ColumnType, Row, Value, WrongType, canonical};
use larder_sql::Bind;
use postgres_protocol::IsNull;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// Why a value could not be encoded or decoded.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// Microseconds from 1970 to 2000, where PostgreSQL counts from.
const EPOCH: i64 = 946_684_800_000_000;

/// The version of the binary format of `jsonb`.
const JSONB_VERSION: u8 = 1;

/// The type that a bind is announced as.
pub(crate) fn bind_type(bind: &Bind) -> u32 {
    match bind {
        Bind::One { kind, .. } => scalar_type(*kind).0.oid(),
        Bind::Pattern { .. } => Type::TEXT.oid(),
        Bind::Many { kind, .. } => scalar_type(*kind).1.oid(),
    }
}

/// The type as which a value of a column travels, and that of an array of them.
fn scalar_type(kind: ColumnType) -> (Type, Type) {
    match kind {
        ColumnType::Bool => (Type::BOOL, Type::BOOL_ARRAY),
        ColumnType::Int => (Type::INT8, Type::INT8_ARRAY),
        ColumnType::Float => (Type::FLOAT8, Type::FLOAT8_ARRAY),
        ColumnType::Text | ColumnType::Enum(_) => (Type::TEXT, Type::TEXT_ARRAY),
        ColumnType::Bytes => (Type::BYTEA, Type::BYTEA_ARRAY),
        ColumnType::Json => (Type::JSONB, Type::JSONB_ARRAY),
        ColumnType::Time => (Type::TIMESTAMPTZ, Type::TIMESTAMPTZ_ARRAY),
        ColumnType::Uuid => (Type::UUID, Type::UUID_ARRAY),
    }
}

/// Writes a bind as it travels.
///
/// # Errors
/// [`WrongType`] when the value is not of its type, and of a value that is too large for its format.
pub(crate) fn encode_bind(bind: &Bind, out: &mut BytesMut) -> Result<IsNull, BoxError> {
    match bind {
        Bind::One { value: Value::Null, .. } => return Ok(IsNull::Yes),
        Bind::One { kind, value } => encode(*kind, value, out)?,
        Bind::Pattern { value } => encode(ColumnType::Text, value, out)?,
        Bind::Many { kind, values } => encode_array(*kind, values, out)?,
    }
    Ok(IsNull::No)
}

fn encode(kind: ColumnType, value: &Value, out: &mut BytesMut) -> Result<(), BoxError> {
    match (kind, value) {
        (ColumnType::Bool, Value::Bool(value)) => out.put_u8(u8::from(*value)),
        (ColumnType::Int, Value::Int(value)) => out.put_i64(*value),
        (ColumnType::Float, Value::Float(value)) => out.put_f64(*value),
        (ColumnType::Text | ColumnType::Enum(_), Value::Text(value)) => out.put_slice(value.as_bytes()),
        (ColumnType::Bytes, Value::Bytes(value)) => out.put_slice(value),
        (ColumnType::Json, Value::Json(value)) => {
            out.put_u8(JSONB_VERSION);
            serde_json::to_writer(out.writer(), value)?;
        }
        (ColumnType::Time, Value::Time(value)) => out.put_i64(value.timestamp_micros() - EPOCH),
        (ColumnType::Uuid, Value::Uuid(value)) => out.put_slice(value.as_bytes()),
        _ => return Err(wrong_type().into()),
    }
    Ok(())
}

/// One dimension: whether there are NULLs, the type, the number of elements, the lower bound; then each element behind its
/// length, -1 for NULL (`array_send` in PostgreSQL's `arrayfuncs.c`).
fn encode_array(kind: ColumnType, values: &[Value], out: &mut BytesMut) -> Result<(), BoxError> {
    let has_nulls = values.iter().any(Value::is_null);
    out.put_i32(1);
    out.put_i32(i32::from(has_nulls));
    out.put_u32(scalar_type(kind).0.oid());
    out.put_i32(i32::try_from(values.len())?);
    out.put_i32(1);
    for value in values {
        if value.is_null() {
            out.put_i32(-1);
            continue;
        }
        let begin = out.len();
        out.put_i32(0);
        encode(kind, value, out)?;
        let length = i32::try_from(out.len() - begin - size_of::<i32>())?;
        out[begin..begin + size_of::<i32>()].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

fn wrong_type() -> WrongType {
    WrongType("a value of another type than its placeholder".to_owned())
}

/// How a column of a result is read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Text,
    Bytes,
    Json,
    Jsonb,
    Time,
    Uuid,
}

/// How a result's columns are read as values of these types. larder's own integers are `bigint`; those of a caller's SQL may
/// be narrower.
///
/// # Errors
/// The position of a column of another type, and which one it is.
pub(crate) fn forms(
    columns: &[u32],
    kinds: impl Iterator<Item = ColumnType>,
) -> Result<Vec<Form>, (usize, BoxError)> {
    let mut columns = columns.iter();
    let form = |(position, kind): (usize, ColumnType)| match columns.next() {
        Some(found) => form(kind, *found).ok_or_else(|| {
            let expected = scalar_type(kind).0;
            let found = Type::from_oid(*found);
            let found = found.as_ref().map_or("unknown to larder", Type::name);
            (position, format!("the column is of the type {found}, not {}", expected.name()).into())
        }),
        None => Err((position, "the result has fewer columns".into())),
    };
    kinds.enumerate().map(form).collect()
}

fn form(kind: ColumnType, found: u32) -> Option<Form> {
    let found = Type::from_oid(found)?;
    Some(match (kind, found) {
        (ColumnType::Bool, Type::BOOL) => Form::Bool,
        (ColumnType::Int, Type::INT2) => Form::Int2,
        (ColumnType::Int, Type::INT4) => Form::Int4,
        (ColumnType::Int, Type::INT8) => Form::Int8,
        (ColumnType::Float, Type::FLOAT4) => Form::Float4,
        (ColumnType::Float, Type::FLOAT8) => Form::Float8,
        (
            ColumnType::Text | ColumnType::Enum(_),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN,
        ) => Form::Text,
        (ColumnType::Bytes, Type::BYTEA) => Form::Bytes,
        (ColumnType::Json, Type::JSON) => Form::Json,
        (ColumnType::Json, Type::JSONB) => Form::Jsonb,
        (ColumnType::Time, Type::TIMESTAMPTZ) => Form::Time,
        (ColumnType::Uuid, Type::UUID) => Form::Uuid,
        _ => return None,
    })
}

/// Takes a row off the rest, whose first columns are in these forms: the number of columns, then each behind its length, -1
/// for NULL.
///
/// # Errors
/// The position of the column that cannot be read, and why.
pub(crate) fn row(rest: &mut &[u8], forms: &[Form]) -> Result<Row, (usize, BoxError)> {
    let mut values = Vec::with_capacity(forms.len());
    let mut wrong = None;
    for position in 0..next_number(rest).map_err(|error| (0, error))? {
        let column = next_column(rest).map_err(|error| (position, error))?;
        let Some(&form) = forms.get(position) else { continue };
        match column.map_or(Ok(Value::Null), |bytes| decode(form, bytes)) {
            Ok(value) => values.push(value),
            // What follows is to be taken off all the same.
            Err(error) => wrong = wrong.or(Some((position, error))),
        }
    }
    wrong.map_or_else(|| Ok(Row::new(values)), Err)
}

fn next_number(rest: &mut &[u8]) -> Result<usize, BoxError> {
    Ok(u16::from_be_bytes(*next_chunk(rest)?).into())
}

fn next_column<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, BoxError> {
    // Only the length of NULL is negative.
    let Ok(length) = usize::try_from(i32::from_be_bytes(*next_chunk(rest)?)) else { return Ok(None) };
    let (column, behind) = rest.split_at_checked(length).ok_or_else(|| cut_off(rest))?;
    *rest = behind;
    Ok(Some(column))
}

fn next_chunk<'a, const LENGTH: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; LENGTH], BoxError> {
    let (chunk, behind) = rest.split_first_chunk().ok_or_else(|| cut_off(rest))?;
    *rest = behind;
    Ok(chunk)
}

/// Nothing more can be read.
fn cut_off(rest: &mut &[u8]) -> BoxError {
    *rest = &[];
    "the row is cut off".into()
}

fn decode(form: Form, bytes: &[u8]) -> Result<Value, BoxError> {
    Ok(match form {
        Form::Bool => Value::Bool(bytes == [1]),
        Form::Int2 => Value::Int(i16::from_be_bytes(bytes.try_into()?).into()),
        Form::Int4 => Value::Int(i32::from_be_bytes(bytes.try_into()?).into()),
        Form::Int8 => Value::Int(i64::from_be_bytes(bytes.try_into()?)),
        Form::Float4 => Value::Float(f32::from_be_bytes(bytes.try_into()?).into()),
        Form::Float8 => Value::Float(f64::from_be_bytes(bytes.try_into()?)),
        Form::Text => Value::Text(std::str::from_utf8(bytes)?.to_owned()),
        Form::Bytes => Value::Bytes(bytes.to_vec()),
        Form::Json => json(bytes)?,
        Form::Jsonb => match bytes.split_first() {
            Some((&JSONB_VERSION, text)) => json(text)?,
            _ => return Err("jsonb in a format that is not known".into()),
        },
        Form::Time => time(bytes)?,
        Form::Uuid => Value::Uuid(Uuid::from_slice(bytes)?),
    })
}

fn json(text: &[u8]) -> Result<Value, BoxError> {
    Ok(Value::Json(canonical(serde_json::from_slice(text)?)?))
}

/// `infinity`, and what else is outside chrono's range, is an error.
fn time(bytes: &[u8]) -> Result<Value, BoxError> {
    let since_2000 = i64::from_be_bytes(bytes.try_into()?);
    let time = since_2000.checked_add(EPOCH).and_then(DateTime::from_timestamp_micros);
    time.map(Value::Time).ok_or_else(|| "the time is out of range".into())
}
