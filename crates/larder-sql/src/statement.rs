//! A statement, ready for a driver.

use larder_core::{ColumnType, Table, Value};

/// One SQL statement, the values of its placeholders, and what it answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The text; placeholders are `$1`, `$2`, … on PostgreSQL and `?1`, `?2`, … on SQLite. It holds no values, so that it is
    /// worth preparing and keeping.
    pub text: String,
    /// The values, the first for placeholder 1.
    pub binds: Vec<Bind>,
    /// What it answers.
    pub returns: Returns,
}

/// The value of a placeholder, with its type: NULL needs one. An enumeration's value is bound as text.
#[derive(Debug, Clone, PartialEq)]
pub enum Bind {
    /// One value.
    One {
        /// Its type.
        kind: ColumnType,
        /// The value.
        value: Value,
    },
    /// The pattern of a search. Which plan is good depends on it: a plan that was made for any pattern must not be kept. Only
    /// statements for PostgreSQL have it.
    Pattern {
        /// The pattern, a text.
        value: Value,
    },
    /// An array of values. Only statements for PostgreSQL have it.
    Many {
        /// The type of each.
        kind: ColumnType,
        /// The values.
        values: Vec<Value>,
    },
}

/// What a statement answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Returns {
    /// No rows; the answer is the number of rows that it changed.
    Affected,
    /// The visible columns of the table, in their order.
    Visible(&'static Table),
    /// The visible columns of the table, then an `Int`: the number of the batch's verb that the row answers. Only statements
    /// of a batch answer so.
    Numbered(&'static Table),
    /// Columns of these types. SQLite answers a `Bool` with 0 or 1.
    Types(Vec<ColumnType>),
}
