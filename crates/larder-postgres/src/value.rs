//! Values on their way to and from PostgreSQL, in its binary format.

use std::error::Error as StdError;

use bytes::{BufMut, BytesMut};
use chrono::DateTime;
use larder_core::{ColumnType, Row, Value, WrongType, canonical};
use larder_sql::Bind;
use tokio_postgres::{
    Column,
    types::{FromSql, IsNull, ToSql, Type},
};
use uuid::Uuid;

/// Why a value could not be encoded or decoded.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// Microseconds from 1970 to 2000, where PostgreSQL counts from.
const EPOCH: i64 = 946_684_800_000_000;

/// The version of the binary format of `jsonb`.
const JSONB_VERSION: u8 = 1;

/// The type that a bind is announced as.
pub(crate) fn bind_type(bind: &Bind) -> Type {
    match bind {
        Bind::One { kind, .. } => scalar_type(*kind).0,
        Bind::Many { kind, .. } => scalar_type(*kind).1,
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

/// A bind as the driver takes it. `Debug`, which the driver logs, shows no values.
pub(crate) struct Param<'a>(pub(crate) &'a Bind);

impl std::fmt::Debug for Param<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", bind_type(self.0).name())
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        match self.0 {
            Bind::One { value: Value::Null, .. } => return Ok(IsNull::Yes),
            Bind::One { kind, value } => encode(*kind, value, out)?,
            Bind::Many { kind, values } => encode_array(*kind, values, out)?,
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        if *kind != bind_type(self.0) {
            return Err(wrong_type().into());
        }
        self.to_sql(kind, out)
    }
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
    columns: &[Column],
    kinds: impl ExactSizeIterator<Item = ColumnType>,
) -> Result<Vec<Form>, (usize, BoxError)> {
    if columns.len() < kinds.len() {
        return Err((columns.len(), "the result has fewer columns".into()));
    }
    let form = |(position, (kind, column)): (usize, (ColumnType, &Column))| {
        let found = column.type_();
        form(kind, found).ok_or_else(|| {
            let expected = scalar_type(kind).0;
            (position, format!("the column is of the type {}, not {}", found.name(), expected.name()).into())
        })
    };
    kinds.zip(columns).enumerate().map(form).collect()
}

fn form(kind: ColumnType, found: &Type) -> Option<Form> {
    Some(match (kind, found) {
        (ColumnType::Bool, &Type::BOOL) => Form::Bool,
        (ColumnType::Int, &Type::INT2) => Form::Int2,
        (ColumnType::Int, &Type::INT4) => Form::Int4,
        (ColumnType::Int, &Type::INT8) => Form::Int8,
        (ColumnType::Float, &Type::FLOAT4) => Form::Float4,
        (ColumnType::Float, &Type::FLOAT8) => Form::Float8,
        (
            ColumnType::Text | ColumnType::Enum(_),
            &Type::TEXT | &Type::VARCHAR | &Type::BPCHAR | &Type::NAME | &Type::UNKNOWN,
        ) => Form::Text,
        (ColumnType::Bytes, &Type::BYTEA) => Form::Bytes,
        (ColumnType::Json, &Type::JSON) => Form::Json,
        (ColumnType::Json, &Type::JSONB) => Form::Jsonb,
        (ColumnType::Time, &Type::TIMESTAMPTZ) => Form::Time,
        (ColumnType::Uuid, &Type::UUID) => Form::Uuid,
        _ => return None,
    })
}

/// A row of columns in these forms.
///
/// # Errors
/// The position of the column that cannot be read, and why.
pub(crate) fn row(row: &tokio_postgres::Row, forms: &[Form]) -> Result<Row, (usize, BoxError)> {
    let mut values = Vec::with_capacity(forms.len());
    for (position, &form) in forms.iter().enumerate() {
        let raw: Raw<'_> = row.try_get(position).map_err(|error| (position, error.into()))?;
        let value = raw.0.map_or(Ok(Value::Null), |bytes| decode(form, bytes));
        values.push(value.map_err(|error| (position, error))?);
    }
    Ok(Row::new(values))
}

/// A column's bytes, of whatever type it is: [`forms`] has looked at the type.
struct Raw<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, BoxError> {
        Ok(Self(Some(bytes)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, BoxError> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
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
