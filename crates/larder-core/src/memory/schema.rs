//! The tables of a database and how they refer to each other.

use crate::{Error, ErrorKind, ForeignKey, Result, Table};

/// What the database consists of. It never changes.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) tables: Vec<&'static Table>,
    pub(super) references: Vec<Reference>,
}

/// A foreign key, resolved. Tables are positions in [`Schema::tables`].
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) child: usize,
    /// The position in the child's [`Table::foreign_keys`].
    pub(super) foreign_key: usize,
    /// The child's columns.
    pub(super) columns: &'static [usize],
    pub(super) parent: usize,
    /// The key of the parent that they refer to.
    pub(super) parent_key: &'static [usize],
}

impl Schema {
    /// Checks and resolves the metadata.
    ///
    /// # Errors
    /// `Config` with the table and what is wrong with it.
    pub(super) fn new(tables: impl IntoIterator<Item = &'static Table>) -> Result<Self> {
        let mut schema = Self { tables: Vec::new(), references: Vec::new() };
        for table in tables {
            check_keys(table)?;
            if schema.tables.iter().any(|known| known.name == table.name) {
                return Err(wrong(table, "is given twice"));
            }
            schema.tables.push(table);
        }
        for (child, table) in schema.tables.iter().enumerate() {
            for position in 0..table.foreign_keys.len() {
                let reference = schema.resolve(child, position)?;
                schema.references.push(reference);
            }
        }
        Ok(schema)
    }

    /// The position of a table.
    ///
    /// # Errors
    /// `Schema` when the database has no such table.
    pub(super) fn position(&self, table: &'static Table) -> Result<usize> {
        let position = self.tables.iter().position(|known| *known == table);
        position.ok_or_else(|| Error::new(ErrorKind::Schema, format!("there is no table {}", table.name)))
    }

    /// The foreign keys of a table, in its order.
    pub(super) fn references_of(&self, child: usize) -> impl Iterator<Item = &Reference> {
        self.references.iter().filter(move |reference| reference.child == child)
    }

    /// The foreign keys that refer to a table.
    pub(super) fn references_to(&self, parent: usize) -> impl Iterator<Item = &Reference> {
        self.references.iter().filter(move |reference| reference.parent == parent)
    }

    fn resolve(&self, child: usize, foreign_key: usize) -> Result<Reference> {
        let table = self.tables[child];
        let key = &table.foreign_keys[foreign_key];
        let parent_table = (key.parent)();
        let Some(parent) = self.tables.iter().position(|known| *known == parent_table) else {
            return Err(wrong(
                table,
                format!("refers to {}, which is not among the tables", parent_table.name),
            ));
        };
        let Some(parent_key) = referenced_key(parent_table, key) else {
            let columns = key.parent_columns.join(", ");
            return Err(wrong(
                table,
                format!("refers to {} ({columns}), which is no key", parent_table.name),
            ));
        };
        Ok(Reference { child, foreign_key, columns: key.columns, parent, parent_key })
    }
}

fn referenced_key(parent: &'static Table, key: &ForeignKey) -> Option<&'static [usize]> {
    let named: Option<Vec<_>> = key.parent_columns.iter().map(|column| parent.position(column)).collect();
    let named = named.filter(|named| named.len() == key.columns.len())?;
    parent.key(&named)
}

fn check_keys(table: &'static Table) -> Result<()> {
    if table.primary_key.is_empty() {
        return Err(wrong(table, "has no primary key"));
    }
    let foreign = table.foreign_keys.iter().map(|key| key.columns);
    if table.keys().chain(foreign).flatten().any(|&column| column >= table.columns.len()) {
        return Err(wrong(table, "has a key over a column that it does not have"));
    }
    if table.primary_key.iter().any(|&column| table.columns[column].nullable) {
        return Err(wrong(table, "has a primary key that may be NULL"));
    }
    Ok(())
}

fn wrong(table: &'static Table, what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Config, format!("the table {} {what}", table.name))
}
