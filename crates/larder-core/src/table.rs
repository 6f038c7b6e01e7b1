//! What a table is: static metadata, written by `#[derive(Entity)]` and read by everything else.

use crate::Value;

/// The largest value of text, bytes or JSON that a column without a length rule takes, in bytes (16 MiB). It is far
/// below what the databases refuse, so that the refusal is the same on all of them.
pub const MAX_VALUE_BYTES: usize = 16 * 1024 * 1024;

/// A table: one per entity. All of it is static.
#[derive(Debug)]
pub struct Table {
    /// The table's name in both databases: plural `snake_case`.
    pub name: &'static str,
    /// The entity's Rust name, used in errors.
    pub entity: &'static str,
    /// The columns: first those of the entity's fields in their order ([`Table::visible`]), then the search copies
    /// that only the database sees.
    pub columns: &'static [Column],
    /// How many of `columns` are fields of the entity.
    pub visible: usize,
    /// The positions of the primary key's columns.
    pub primary_key: &'static [usize],
    /// Unique keys beside the primary key.
    pub uniques: &'static [Unique],
    /// References to parents. All cascade on delete.
    pub foreign_keys: &'static [ForeignKey],
    /// Indexes that are not unique.
    pub indexes: &'static [Index],
    /// The column that holds the owner's id, when rows belong to a user.
    pub owner: Option<usize>,
    /// The column that is set to the time of creation.
    pub created_at: Option<usize>,
    /// The column that every update moves forward.
    pub updated_at: Option<usize>,
}

/// Tables are the same when they are the same static.
impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.entity == other.entity
    }
}

impl Table {
    /// The columns that are fields of the entity: what a row that is read consists of.
    pub fn visible(&self) -> &'static [Column] {
        &self.columns[..self.visible]
    }

    /// The position of the column of this name.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|candidate| candidate.name == column)
    }

    /// The search copies of a column: positions of columns whose source is it.
    pub fn search_copies(&self, of: usize) -> impl Iterator<Item = usize> + '_ {
        self.columns.iter().enumerate().filter_map(move |(position, column)| match column.source {
            Source::Folded { of: source, .. } if source == of => Some(position),
            _ => None,
        })
    }

    /// All columns that search looks into.
    pub fn search_columns(&self) -> impl Iterator<Item = usize> + '_ {
        (self.visible..self.columns.len())
            .filter(|&position| matches!(self.columns[position].source, Source::Folded { .. }))
    }

    /// The names of some columns, separated by `, `: how errors name a key.
    pub fn names(&self, columns: &[usize]) -> String {
        let names: Vec<_> = columns.iter().map(|&column| self.columns[column].name).collect();
        names.join(", ")
    }

    /// The primary key, then the unique keys.
    pub fn keys(&self) -> impl Iterator<Item = &'static [usize]> + use<> {
        std::iter::once(self.primary_key).chain(self.uniques.iter().map(|unique| unique.columns))
    }

    /// The key that consists of these columns, in this order.
    pub fn key(&self, columns: &[usize]) -> Option<&'static [usize]> {
        self.keys().find(|key| *key == columns)
    }

    /// `{table}_pkey`.
    pub fn primary_key_name(&self) -> String {
        format!("{}_pkey", self.name)
    }

    /// `{table}_{columns}_key`: the name of a unique key in both databases.
    pub fn unique_name(&self, unique: &Unique) -> String {
        self.constraint_name(unique.columns, "key")
    }

    /// `{table}_{columns}_fkey`: the name of a foreign key in both databases.
    pub fn foreign_key_name(&self, key: &ForeignKey) -> String {
        self.constraint_name(key.columns, "fkey")
    }

    /// `{table}_{columns}_idx`: the name of an index in both databases.
    pub fn index_name(&self, index: &Index) -> String {
        self.constraint_name(index.columns, "idx")
    }

    /// `{table}_trgm`: the name of the index that search uses in both databases, over all
    /// [search columns](Self::search_columns).
    pub fn search_index_name(&self) -> String {
        format!("{}_trgm", self.name)
    }

    /// `{table}_{column}_check`: the name of a column's CHECK constraint in both databases.
    pub fn check_name(&self, column: usize) -> String {
        self.constraint_name(&[column], "check")
    }

    fn constraint_name(&self, columns: &[usize], suffix: &str) -> String {
        let names: Vec<_> = columns.iter().map(|&column| self.columns[column].name).collect();
        format!("{}_{}_{suffix}", self.name, names.join("_"))
    }
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// Its name in both databases: `snake_case`.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnType,
    /// May it be NULL?
    pub nullable: bool,
    /// What it holds when nothing is said; written by core, and the DEFAULT in the database.
    pub default: Option<Literal>,
    /// The rules of the Rust type ([`ColumnValue::RULES`](crate::ColumnValue::RULES)).
    pub type_rules: &'static [Rule],
    /// The rules of the field.
    pub rules: &'static [Rule],
    /// Where its value comes from.
    pub source: Source,
}

impl Column {
    /// The rules of the type and of the field.
    pub fn all_rules(&self) -> impl Iterator<Item = &'static Rule> + use<> {
        self.type_rules.iter().chain(self.rules)
    }
}

/// Where a column's value comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// It is a field of the entity.
    Field,
    /// It is the [folded](crate::fold) text of another column, written by core with it.
    Folded {
        /// The position of the column that it copies.
        of: usize,
        /// The text of that column's value that can be searched for; `None` when there is none (then NULL is
        /// written). It is folded afterwards.
        text: fn(&Value) -> Option<String>,
    },
}

/// What a column holds, and as what each database keeps it.
///
/// | type | PostgreSQL | SQLite (STRICT) |
/// |---|---|---|
/// | `Bool` | `boolean` | `INTEGER`, 0 or 1 |
/// | `Int` | `bigint` | `INTEGER` |
/// | `Float` | `double precision` | `REAL` |
/// | `Text` | `text COLLATE "C"` | `TEXT` |
/// | `Bytes` | `bytea` | `BLOB` |
/// | `Json` | `jsonb` | `TEXT` |
/// | `Time` | `timestamptz` | `INTEGER`, microseconds since 1970 |
/// | `Uuid` | `uuid` | `BLOB` of 16 bytes |
/// | `Enum` | a native enum type | `TEXT` with a CHECK |
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub enum ColumnType {
    Bool,
    Int,
    Float,
    Text,
    Bytes,
    Json,
    Time,
    Uuid,
    Enum(&'static EnumType),
}

/// An enumeration: a native type on PostgreSQL, text with a CHECK on SQLite. Its values sort as text, by bytes.
#[derive(Debug, PartialEq)]
pub struct EnumType {
    /// The name of the PostgreSQL type.
    pub name: &'static str,
    /// The texts, in the order of their declaration.
    pub variants: &'static [&'static str],
}

/// A rule that every value of a column keeps (NULL keeps all of them). It is checked by core before the database is
/// asked, and by a CHECK constraint in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Text with at least `min` and at most `max` characters (Unicode scalar values).
    Length {
        /// The fewest.
        min: u32,
        /// The most.
        max: u32,
    },
    /// An integer from `min` to `max`, both included.
    Range {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A URL with the scheme http or https and a host.
    Url,
    /// An e-mail address; it is [folded](crate::fold) before it is written.
    Email,
}

/// A constant, as a default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Literal {
    /// For [`ColumnType::Bool`].
    Bool(bool),
    /// For [`ColumnType::Int`].
    Int(i64),
    /// For [`ColumnType::Float`].
    Float(f64),
    /// For [`ColumnType::Text`] and [`ColumnType::Enum`].
    Text(&'static str),
    /// For [`ColumnType::Json`]: JSON text.
    Json(&'static str),
}

/// A unique key. NULLs never conflict.
#[derive(Debug)]
pub struct Unique {
    /// The positions of its columns.
    pub columns: &'static [usize],
}

/// A reference to a parent. The row goes when the parent goes.
#[derive(Debug)]
pub struct ForeignKey {
    /// The positions of the referring columns; for a child of an owned parent `(user_id, parent_id)`.
    pub columns: &'static [usize],
    /// The parent's table.
    pub parent: fn() -> &'static Table,
    /// The names of the columns referred to, a key of the parent's table, in the order of `columns`.
    pub parent_columns: &'static [&'static str],
}

/// An index that is not unique.
#[derive(Debug)]
pub struct Index {
    /// The positions of its columns.
    pub columns: &'static [usize],
    /// When given, only rows that meet it are in the index.
    pub only: Option<Condition>,
}

/// The condition of a partial index: a column equals a constant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// The column's position.
    pub column: usize,
    /// The constant.
    pub equals: Literal,
}
