//! What is wrong with a verb before any database is asked.

use larder_core::{Assign, ColumnType, Error, Result, Table, Value, Verb, check_type};

/// Checks what a statement could not say, or what one of the databases would not refuse or not by the column's name: that
/// values are of their columns' types and such as every database keeps ([`check_type`]), that rows are complete, and that a
/// sum has a key and numbers. Lengths, ranges, NULLs and keys are left to the database.
///
/// # Errors
/// - `Invalid` with the column.
/// - `Unsupported` when an `Update` adds without a key, and when an `Aggregate` groups by JSON.
pub fn check(verb: &Verb) -> Result<()> {
    match verb {
        Verb::Get(_) | Verb::Select(_) | Verb::Count(_) | Verb::Delete(_) => Ok(()),
        Verb::Aggregate(aggregate) => aggregate.check(),
        Verb::Insert(insert) => insert.rows.iter().try_for_each(|row| check_row(insert.table, row)),
        Verb::Update(update) => {
            if update.adds() && update.key.is_none() {
                return Err(Error::unsupported("adding to a column of rows that are not named by a key"));
            }
            check_assignments(update.table, &update.set)
        }
        Verb::Upsert(upsert) => {
            check_row(upsert.table, &upsert.row)?;
            check_assignments(upsert.table, &upsert.set)
        }
        Verb::Claim(claim) => check_assignments(claim.table, &claim.set),
    }
}

fn check_row(table: &'static Table, row: &[Value]) -> Result<()> {
    if row.len() != table.columns.len() {
        let reason = format!("a row of {} columns, not {}", table.columns.len(), row.len());
        return Err(Error::invalid(table.entity, "row", reason));
    }
    row.iter().enumerate().try_for_each(|(column, value)| check_type(table, column, value))
}

fn check_assignments(table: &'static Table, set: &[(usize, Assign)]) -> Result<()> {
    set.iter().try_for_each(|(column, assign)| {
        let kind = table.columns[*column].kind;
        match assign {
            Assign::Set(value) => check_type(table, *column, value),
            Assign::Add(_) if kind == ColumnType::Int => Ok(()),
            Assign::Advance(_) if kind == ColumnType::Time => Ok(()),
            Assign::Add(_) => Err(Error::invalid(table.entity, table.columns[*column].name, "is no integer")),
            Assign::Advance(_) => {
                Err(Error::invalid(table.entity, table.columns[*column].name, "is no time"))
            }
        }
    })
}

/// Is the value, not NULL, of the column's type?
pub(crate) fn has_type(kind: ColumnType, value: &Value) -> bool {
    matches!(
        (kind, value),
        (ColumnType::Bool, Value::Bool(_))
            | (ColumnType::Int, Value::Int(_))
            | (ColumnType::Float, Value::Float(_))
            | (ColumnType::Text | ColumnType::Enum(_), Value::Text(_))
            | (ColumnType::Bytes, Value::Bytes(_))
            | (ColumnType::Json, Value::Json(_))
            | (ColumnType::Time, Value::Time(_))
            | (ColumnType::Uuid, Value::Uuid(_))
    )
}
