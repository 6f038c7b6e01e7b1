//! The rows of one table, with an index for each key.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::key::{Key, Part, key_of};
use crate::{Error, Result, Row, Table, Value};

/// A row as it is kept: a value for every column. It never changes; an update puts another in its place.
#[derive(Debug)]
pub(super) struct Stored {
    /// The primary key.
    pub(super) key: Key,
    pub(super) values: Vec<Value>,
}

impl Stored {
    /// A row of values that were checked.
    ///
    /// # Errors
    /// `Invalid` when the primary key holds NULL.
    pub(super) fn new(table: &'static Table, values: Vec<Value>) -> Result<Arc<Self>> {
        let key = key_of(&values, table.primary_key).ok_or_else(|| {
            Error::invalid(table.entity, table.names(table.primary_key), "must not be null")
        })?;
        Ok(Arc::new(Self { key, values }))
    }

    /// The value of a column; NULL past the last.
    pub(super) fn value(&self, column: usize) -> &Value {
        self.values.get(column).unwrap_or(&Value::Null)
    }

    /// The row as callers see it.
    pub(super) fn visible(&self, table: &'static Table) -> Row {
        Row::new(self.values.iter().take(table.visible).cloned().collect())
    }
}

/// A table's rows.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) table: &'static Table,
    by_primary_key: BTreeMap<Key, Arc<Stored>>,
    /// For each unique key, which row holds which value.
    holders: Vec<BTreeMap<Key, Key>>,
    /// For each foreign key, which rows refer to which value.
    referrers: Vec<BTreeMap<Key, BTreeSet<Key>>>,
}

impl Rows {
    pub(super) fn new(table: &'static Table) -> Self {
        Self {
            table,
            by_primary_key: BTreeMap::new(),
            holders: vec![BTreeMap::new(); table.uniques.len()],
            referrers: vec![BTreeMap::new(); table.foreign_keys.len()],
        }
    }

    /// All rows, in the order of the primary key.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Stored>> {
        self.by_primary_key.values()
    }

    /// The row that holds `key` in `columns`, which are a key of the table.
    pub(super) fn holder(&self, columns: &[usize], key: &[Part]) -> Option<&Arc<Stored>> {
        if columns == self.table.primary_key {
            return self.by_primary_key.get(key);
        }
        let unique = self.table.uniques.iter().position(|unique| unique.columns == columns)?;
        self.by_primary_key.get(self.holders[unique].get(key)?)
    }

    /// The rows whose foreign key of this position holds `key`.
    pub(super) fn referrers(&self, foreign_key: usize, key: &[Part]) -> impl Iterator<Item = &Arc<Stored>> {
        let rows = self.referrers[foreign_key].get(key).into_iter().flatten();
        rows.filter_map(|row| self.by_primary_key.get(row))
    }

    /// The first key of `row` that is taken: the primary key, then the unique keys in the table's order.
    pub(super) fn taken_key(&self, row: &Stored) -> Option<&'static [usize]> {
        self.table.keys().find(|columns| {
            key_of(&row.values, columns).is_some_and(|key| self.holder(columns, &key).is_some())
        })
    }

    /// Puts a row in, none of whose keys is taken.
    pub(super) fn put(&mut self, row: Arc<Stored>) {
        for (unique, holders) in self.table.uniques.iter().zip(&mut self.holders) {
            if let Some(key) = key_of(&row.values, unique.columns) {
                holders.insert(key, row.key.clone());
            }
        }
        for (foreign, referrers) in self.table.foreign_keys.iter().zip(&mut self.referrers) {
            if let Some(key) = key_of(&row.values, foreign.columns) {
                referrers.entry(key).or_default().insert(row.key.clone());
            }
        }
        self.by_primary_key.insert(row.key.clone(), row);
    }

    /// Takes the row with this primary key out.
    pub(super) fn take(&mut self, key: &[Part]) -> Option<Arc<Stored>> {
        let row = self.by_primary_key.remove(key)?;
        for (unique, holders) in self.table.uniques.iter().zip(&mut self.holders) {
            if let Some(key) = key_of(&row.values, unique.columns) {
                holders.remove(&key);
            }
        }
        for (foreign, referrers) in self.table.foreign_keys.iter().zip(&mut self.referrers) {
            let Some(key) = key_of(&row.values, foreign.columns) else { continue };
            if let Some(rows) = referrers.get_mut(&key) {
                rows.remove(&row.key);
                if rows.is_empty() {
                    referrers.remove(&key);
                }
            }
        }
        Some(row)
    }
}
