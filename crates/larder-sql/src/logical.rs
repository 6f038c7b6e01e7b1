//! A schema without what is particular to a database, so that two databases, or a database and the metadata, can be
//! compared with `==`.

use larder_core::{ColumnType, Table};

/// The tables, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogicalSchema {
    /// Sorted by name.
    pub tables: Vec<LogicalTable>,
}

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogicalTable {
    /// Its name.
    pub name: String,
    /// Sorted by name: their order in the database is how they came to be, and nothing depends on it.
    pub columns: Vec<LogicalColumn>,
    /// The primary key.
    pub primary_key: Option<LogicalKey>,
    /// Unique keys beside it, sorted by name.
    pub uniques: Vec<LogicalKey>,
    /// Sorted by name.
    pub foreign_keys: Vec<LogicalForeignKey>,
    /// Indexes that are not unique, sorted by name.
    pub indexes: Vec<LogicalIndex>,
    /// The index that search uses, over the search columns.
    pub search: Option<LogicalKey>,
    /// The names of the CHECK constraints that are rules, sorted; those that only say what a type means on SQLite are part
    /// of [`LogicalColumn::kind`].
    pub checks: Vec<String>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: LogicalType,
    /// May it be NULL?
    pub nullable: bool,
    /// Has it a default?
    pub has_default: bool,
}

/// What a column holds; as [`ColumnType`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it all
pub enum LogicalType {
    Bool,
    Int,
    Float,
    Text,
    Bytes,
    Json,
    Time,
    Uuid,
    /// One of these texts, in the order of their declaration.
    Enum(Vec<String>),
    /// None of larder's types: the database's name for it.
    Other(String),
}

/// A primary or unique key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalKey {
    /// The constraint's name.
    pub name: String,
    /// The columns, in the key's order.
    pub columns: Vec<String>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalForeignKey {
    /// The constraint's name.
    pub name: String,
    /// The referring columns.
    pub columns: Vec<String>,
    /// The table referred to.
    pub parent: String,
    /// The columns referred to.
    pub parent_columns: Vec<String>,
    /// Do rows go with their parent?
    pub cascades: bool,
}

/// An index that is not unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalIndex {
    /// Its name.
    pub name: String,
    /// The columns, in its order.
    pub columns: Vec<String>,
    /// Has it a condition?
    pub is_partial: bool,
}

impl LogicalSchema {
    /// What these tables' metadata asks for.
    pub fn of(tables: &[&'static Table]) -> Self {
        Self { tables: tables.iter().map(|table| LogicalTable::of(table)).collect() }.sorted()
    }

    pub(crate) fn sorted(mut self) -> Self {
        self.tables.sort_by(|a, b| a.name.cmp(&b.name));
        for table in &mut self.tables {
            table.columns.sort_by(|a, b| a.name.cmp(&b.name));
            table.uniques.sort_by(|a, b| a.name.cmp(&b.name));
            table.foreign_keys.sort_by(|a, b| a.name.cmp(&b.name));
            table.indexes.sort_by(|a, b| a.name.cmp(&b.name));
            table.checks.sort();
        }
        self
    }
}

impl LogicalTable {
    fn of(table: &'static Table) -> Self {
        let names =
            |columns: &[usize]| columns.iter().map(|&column| table.columns[column].name.to_owned()).collect();
        let columns = table.columns.iter().map(|column| LogicalColumn {
            name: column.name.to_owned(),
            kind: column.kind.into(),
            nullable: column.nullable,
            has_default: column.default.is_some(),
        });
        let uniques = table
            .uniques
            .iter()
            .map(|unique| LogicalKey { name: table.unique_name(unique), columns: names(unique.columns) });
        let foreign_keys = table.foreign_keys.iter().map(|key| LogicalForeignKey {
            name: table.foreign_key_name(key),
            columns: names(key.columns),
            parent: (key.parent)().name.to_owned(),
            parent_columns: key.parent_columns.iter().map(|&name| name.to_owned()).collect(),
            cascades: true,
        });
        let indexes = table.indexes.iter().map(|index| LogicalIndex {
            name: table.index_name(index),
            columns: names(index.columns),
            is_partial: index.only.is_some(),
        });
        let searched: Vec<_> = table.search_columns().collect();
        let ruled =
            (0..table.columns.len()).filter(|&column| table.columns[column].all_rules().next().is_some());
        Self {
            name: table.name.to_owned(),
            columns: columns.collect(),
            primary_key: Some(LogicalKey {
                name: table.primary_key_name(),
                columns: names(table.primary_key),
            }),
            uniques: uniques.collect(),
            foreign_keys: foreign_keys.collect(),
            indexes: indexes.collect(),
            search: (!searched.is_empty())
                .then(|| LogicalKey { name: table.search_index_name(), columns: names(&searched) }),
            checks: ruled.map(|column| table.check_name(column)).collect(),
        }
    }
}

impl From<ColumnType> for LogicalType {
    fn from(kind: ColumnType) -> Self {
        match kind {
            ColumnType::Bool => Self::Bool,
            ColumnType::Int => Self::Int,
            ColumnType::Float => Self::Float,
            ColumnType::Text => Self::Text,
            ColumnType::Bytes => Self::Bytes,
            ColumnType::Json => Self::Json,
            ColumnType::Time => Self::Time,
            ColumnType::Uuid => Self::Uuid,
            ColumnType::Enum(values) => {
                Self::Enum(values.variants.iter().map(|&text| text.to_owned()).collect())
            }
        }
    }
}
