//! A row as it is read.

use crate::{ColumnValue, Error, Result, Table, Value};

/// The values of a table's [visible](Table::visible) columns, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    values: Vec<Value>,
}

impl Row {
    /// A row of these values.
    pub fn new(values: Vec<Value>) -> Self {
        Self { values }
    }

    /// The values.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The values, to keep.
    pub fn into_values(self) -> Vec<Value> {
        self.values
    }

    /// The value at this position; `None` past the end.
    pub fn get(&self, position: usize) -> Option<&Value> {
        self.values.get(position)
    }

    /// Takes the value at `position` as the type of the entity's field.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) with the column when the value is of another type or out of
    /// the type's range: never a default, and never a panic.
    pub fn take<T: ColumnValue>(&mut self, table: &'static Table, position: usize) -> Result<T> {
        let value = match self.values.get_mut(position) {
            Some(value) => std::mem::replace(value, Value::Null),
            None => {
                return Err(Error::corrupt(table.entity, table.columns[position].name)
                    .with_context("the row has fewer columns than the table"));
            }
        };
        T::from_value(value)
            .map_err(|wrong| Error::corrupt(table.entity, table.columns[position].name).with_context(wrong.0))
    }
}
