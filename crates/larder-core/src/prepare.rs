//! What core does to values before a store sees them: normalize, check, add the search copies.

use crate::{
    Assign, ColumnValue, Error, Result, Rule, Source, Table, Value, canonical, check_value, fold,
    value::whole_microseconds,
};

/// The value of a field, for its column. Used by the companions that `#[derive(Entity)]` writes.
///
/// # Errors
/// `Invalid` with the field when the value cannot be stored at all.
pub fn value_of<T: ColumnValue>(table: &'static Table, position: usize, value: T) -> Result<Value> {
    value.into_value().map_err(|wrong| Error::invalid(table.entity, table.columns[position].name, wrong.0))
}

/// Brings a value into the form in which it is stored: times in whole microseconds, JSON canonical, e-mail addresses
/// folded. Values that are compared with stored ones go through it too.
pub(crate) fn normalize(table: &'static Table, position: usize, value: Value) -> Result<Value> {
    let column = &table.columns[position];
    match value {
        Value::Time(time) => Ok(Value::Time(whole_microseconds(time))),
        Value::Json(json) => canonical(json)
            .map(Value::Json)
            .map_err(|wrong| Error::invalid(table.entity, column.name, wrong.0)),
        Value::Text(text) if column.all_rules().any(|rule| *rule == Rule::Email) => {
            Ok(Value::Text(fold(&text)))
        }
        other => Ok(other),
    }
}

/// Normalizes a value and checks the column's rules.
pub(crate) fn prepare_value(table: &'static Table, position: usize, value: Value) -> Result<Value> {
    let value = normalize(table, position, value)?;
    check_value(table, position, &value)?;
    Ok(value)
}

/// A whole row for `Insert`: the visible columns prepared, the search copies added.
pub(crate) fn prepare_row(table: &'static Table, visible: Vec<Value>) -> Result<Vec<Value>> {
    let mut row = Vec::with_capacity(table.columns.len());
    for (position, value) in visible.into_iter().enumerate() {
        row.push(prepare_value(table, position, value)?);
    }
    for position in table.visible..table.columns.len() {
        if let Source::Folded { of, text } = table.columns[position].source {
            let copy = search_copy(&row[of], text);
            row.push(copy);
        }
    }
    Ok(row)
}

/// The assignments of a patch: each value prepared, with its search copies.
pub(crate) fn prepare_changes(
    table: &'static Table,
    changes: Vec<(usize, Value)>,
) -> Result<Vec<(usize, Assign)>> {
    let mut set = Vec::with_capacity(changes.len() + 2);
    for (position, value) in changes {
        let value = prepare_value(table, position, value)?;
        for copy in table.search_copies(position) {
            if let Source::Folded { text, .. } = table.columns[copy].source {
                set.push((copy, Assign::Set(search_copy(&value, text))));
            }
        }
        set.push((position, Assign::Set(value)));
    }
    Ok(set)
}

fn search_copy(value: &Value, text: fn(&Value) -> Option<String>) -> Value {
    text(value).map_or(Value::Null, |text| Value::Text(fold(&text)))
}

/// The text of a text column, for its search copy. Used by `#[derive(Entity)]`.
pub fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}
