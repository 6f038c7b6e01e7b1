//! What an update makes of a row.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::rows::Stored;
use crate::{Assign, Error, Result, Table, Value, check_value};

/// The row as the assignments leave it. All of them see the row as it was.
///
/// # Errors
/// `Invalid` with the column when its new value breaks a rule, when a sum leaves the range of `i64`, and when what is
/// to be added to or moved forward is NULL or of another type.
pub(super) fn assigned(table: &'static Table, row: &Stored, set: &[(usize, Assign)]) -> Result<Arc<Stored>> {
    let mut values = row.values.clone();
    for (column, assign) in set {
        let Some(value) = values.get_mut(*column) else { continue };
        let assigned = match assign {
            Assign::Set(value) => Ok(value.clone()),
            Assign::Add(delta) => sum(row.value(*column), *delta),
            Assign::Advance(now) => advanced(row.value(*column), *now),
        };
        *value = assigned.map_err(|why| Error::invalid(table.entity, table.columns[*column].name, why))?;
        check_value(table, *column, value)?;
    }
    Stored::new(table, values)
}

fn sum(value: &Value, delta: i64) -> Result<Value, &'static str> {
    match value {
        Value::Int(value) => value.checked_add(delta).map(Value::Int).ok_or("the sum is out of range"),
        _ => Err("is no integer that could be added to"),
    }
}

fn advanced(value: &Value, now: DateTime<Utc>) -> Result<Value, &'static str> {
    match value {
        Value::Time(before) => {
            let next =
                before.checked_add_signed(TimeDelta::microseconds(1)).ok_or("the time is out of range")?;
            Ok(Value::Time(next.max(now)))
        }
        _ => Err("is no time that could be moved forward"),
    }
}
