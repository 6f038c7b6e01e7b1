//! The rules of a column, checked on a value: before the database is asked, and by stores that have no CHECK.

use chrono::Datelike;
use email_address::EmailAddress;
use url::Url;

use crate::{ColumnType, Error, MAX_VALUE_BYTES, Result, Rule, Table, Value};

/// Checks a value for each column of a row, search copies included.
///
/// # Errors
/// As [`check_value`]; `Invalid` when there are more or fewer values than columns.
pub fn check_row(table: &'static Table, row: &[Value]) -> Result<()> {
    if row.len() != table.columns.len() {
        let reason = format!("a row of {} columns, not {}", table.columns.len(), row.len());
        return Err(Error::invalid(table.entity, "row", reason));
    }
    row.iter().enumerate().try_for_each(|(position, value)| check_value(table, position, value))
}

/// Checks one value: NULL only where it may be, the column's type, what no database keeps (NUL in text, a time outside
/// the years 1 to 9999, a float that is not finite, more than [`MAX_VALUE_BYTES`]), then the column's rules.
///
/// # Errors
/// `Invalid` with the column and the reason.
pub fn check_value(table: &'static Table, position: usize, value: &Value) -> Result<()> {
    let column = &table.columns[position];
    let broken = match value {
        Value::Null if column.nullable => None,
        Value::Null => Some("must not be null".to_owned()),
        value => type_broken(column.kind, value)
            .or_else(|| column.all_rules().find_map(|rule| rule_broken(*rule, value))),
    };
    broken.map_or(Ok(()), |reason| Err(Error::invalid(table.entity, column.name, reason)))
}

/// Checks of [`check_value`] only what has nothing to do with rules and NULL: the type, and what no database keeps.
///
/// # Errors
/// `Invalid` with the column and the reason.
pub fn check_type(table: &'static Table, position: usize, value: &Value) -> Result<()> {
    let column = &table.columns[position];
    let broken = if value.is_null() { None } else { type_broken(column.kind, value) };
    broken.map_or(Ok(()), |reason| Err(Error::invalid(table.entity, column.name, reason)))
}

fn type_broken(kind: ColumnType, value: &Value) -> Option<String> {
    match (kind, value) {
        (ColumnType::Text, Value::Text(text)) => text_broken(text),
        (ColumnType::Enum(values), Value::Text(text)) => (!values.variants.contains(&text.as_str()))
            .then(|| format!("must be one of {}", values.variants.join(", "))),
        (ColumnType::Bytes, Value::Bytes(bytes)) => size_broken(bytes.len()),
        (ColumnType::Json, Value::Json(_)) => size_broken(value.size()),
        (ColumnType::Time, Value::Time(time)) => {
            (!(1..=9999).contains(&time.year())).then(|| "must be a time in the years 1 to 9999".to_owned())
        }
        (ColumnType::Float, Value::Float(float)) => {
            (!float.is_finite()).then(|| "must be a finite number".to_owned())
        }
        (ColumnType::Bool, Value::Bool(_))
        | (ColumnType::Int, Value::Int(_))
        | (ColumnType::Uuid, Value::Uuid(_)) => None,
        _ => Some(format!("must be of the type {}", type_name(kind))),
    }
}

fn type_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Bool => "boolean",
        ColumnType::Int => "integer",
        ColumnType::Float => "float",
        ColumnType::Text => "text",
        ColumnType::Bytes => "bytes",
        ColumnType::Json => "JSON",
        ColumnType::Time => "time",
        ColumnType::Uuid => "UUID",
        ColumnType::Enum(values) => values.name,
    }
}

fn text_broken(text: &str) -> Option<String> {
    if text.contains('\0') {
        return Some("must not hold the NUL character".to_owned());
    }
    size_broken(text.len())
}

fn size_broken(bytes: usize) -> Option<String> {
    (bytes > MAX_VALUE_BYTES).then(|| format!("must have at most {MAX_VALUE_BYTES} bytes, not {bytes}"))
}

fn rule_broken(rule: Rule, value: &Value) -> Option<String> {
    match (rule, value) {
        (Rule::Length { min, max }, Value::Text(text)) => length_broken(min, max, text),
        (Rule::Range { min, max }, Value::Int(number)) => (!(min..=max).contains(number)).then(|| {
            if max == i64::MAX {
                format!("must be at least {min}, not {number}")
            } else {
                format!("must be from {min} to {max}, not {number}")
            }
        }),
        (Rule::Url, Value::Text(text)) => {
            (!is_web_url(text)).then(|| "must be a URL that begins with http:// or https://".to_owned())
        }
        (Rule::Email, Value::Text(text)) => {
            (!EmailAddress::is_valid(text)).then(|| "must be an e-mail address".to_owned())
        }
        _ => Some("has a rule that is not for its type".to_owned()),
    }
}

fn length_broken(min: u32, max: u32, text: &str) -> Option<String> {
    let length = text.chars().count();
    let fits = usize::try_from(min).is_ok_and(|min| min <= length)
        && usize::try_from(max).is_ok_and(|max| length <= max);
    (!fits).then(|| format!("must have {min} to {max} characters, not {length}"))
}

fn is_web_url(text: &str) -> bool {
    // The literal prefix is what the CHECK constraints can see; `Url` also takes `HTTP:\\host`.
    (text.starts_with("http://") || text.starts_with("https://"))
        && Url::parse(text).is_ok_and(|url| url.host().is_some())
}
