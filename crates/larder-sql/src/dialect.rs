//! Which SQL.

use larder_core::{ColumnType, Literal};

/// The SQL of one of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// PostgreSQL 13 and later.
    Postgres,
    /// SQLite 3.41 and later, and libSQL.
    Sqlite,
}

impl Dialect {
    /// The most binds that one statement takes.
    pub(crate) const fn max_binds(self) -> usize {
        match self {
            Self::Postgres => 65_535,
            Self::Sqlite => 32_766,
        }
    }

    /// The type of a column in DDL and in casts.
    pub(crate) fn type_name(self, kind: ColumnType) -> String {
        match (self, kind) {
            (Self::Postgres, ColumnType::Enum(values)) => quote(values.name),
            (Self::Postgres, kind) => postgres_type(kind).to_owned(),
            (Self::Sqlite, ColumnType::Bool | ColumnType::Int | ColumnType::Time) => "INTEGER".to_owned(),
            (Self::Sqlite, ColumnType::Float) => "REAL".to_owned(),
            (Self::Sqlite, ColumnType::Bytes | ColumnType::Uuid) => "BLOB".to_owned(),
            (Self::Sqlite, ColumnType::Text | ColumnType::Json | ColumnType::Enum(_)) => "TEXT".to_owned(),
        }
    }
}

/// The PostgreSQL type as which a value travels; enumerations travel as text.
pub(crate) fn postgres_type(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Bool => "boolean",
        ColumnType::Int => "bigint",
        ColumnType::Float => "double precision",
        ColumnType::Text | ColumnType::Enum(_) => "text",
        ColumnType::Bytes => "bytea",
        ColumnType::Json => "jsonb",
        ColumnType::Time => "timestamptz",
        ColumnType::Uuid => "uuid",
    }
}

/// An identifier, in double quotes.
pub(crate) fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// A text constant, in single quotes.
pub(crate) fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A constant.
pub(crate) fn literal(dialect: Dialect, literal: Literal) -> String {
    match (dialect, literal) {
        (Dialect::Postgres, Literal::Bool(value)) => value.to_string(),
        (Dialect::Sqlite, Literal::Bool(value)) => i64::from(value).to_string(),
        (_, Literal::Int(value)) => value.to_string(),
        (_, Literal::Float(value)) => format!("{value:?}"),
        (_, Literal::Text(text) | Literal::Json(text)) => quote_text(text),
    }
}
