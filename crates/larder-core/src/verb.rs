//! What a store is asked to do: verbs over tables.
//!
//! A verb is plain data. It names its table, the owner when it is scoped, and values; never SQL and never a connection.
//! A store is free to render, cache, batch and route verbs, and to send those of concurrent callers together, as long as
//! each answers as if it had been executed alone.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{ColumnType, ErrorKind, Row, SortDirection, Table, Value};

/// One thing to do with one table. Each variant's struct states the behaviour.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    /// Look up one row by a unique key.
    Get(Get),
    /// Read rows.
    Select(Select),
    /// Count rows.
    Count(Count),
    /// Count rows and add up columns, for each group.
    Aggregate(Aggregate),
    /// Write new rows.
    Insert(Insert),
    /// Change rows.
    Update(Update),
    /// Delete rows.
    Delete(Delete),
    /// Write a row, or change the one that holds its key.
    Upsert(Upsert),
    /// Choose rows that no concurrent claim gets, and change them.
    Claim(Claim),
}

impl Verb {
    /// The table.
    pub fn table(&self) -> &'static Table {
        match self {
            Self::Get(verb) => verb.table,
            Self::Select(verb) => verb.table,
            Self::Count(verb) => verb.table,
            Self::Aggregate(verb) => verb.table,
            Self::Insert(verb) => verb.table,
            Self::Update(verb) => verb.table,
            Self::Delete(verb) => verb.table,
            Self::Upsert(verb) => verb.table,
            Self::Claim(verb) => verb.table,
        }
    }

    /// True for `Get`, `Select`, `Count` and `Aggregate`, which change nothing.
    pub fn is_read(&self) -> bool {
        matches!(self, Self::Get(_) | Self::Select(_) | Self::Count(_) | Self::Aggregate(_))
    }
}

/// A key's columns (the primary key or a unique key, in their order) and a value for each; none is NULL.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Positions in [`Table::columns`].
    pub columns: &'static [usize],
    /// The values, as many as columns.
    pub values: Vec<Value>,
}

/// Looks up one row. Answers [`Outcome::Row`].
///
/// # Behaviour
/// - `None` when there is no such row, and when `owner` is given and the row belongs to somebody else.
/// - The row holds the visible columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Get {
    /// The table.
    pub table: &'static Table,
    /// Only rows of this owner.
    pub owner: Option<Uuid>,
    /// The key.
    pub key: Key,
}

/// Reads rows. Answers [`Outcome::Rows`].
///
/// # Behaviour
/// - The rows that meet `filter`, of `owner` when given, in `order`; then those after the position `after`; of these
///   `offset` are left out and at most `limit` returned.
/// - NULLs come last in both directions. Rows that are equal in all order columns come in no defined order; core always
///   ends the order with a unique key.
/// - `after` holds one value for each order column, as read from the last row of the page before; NULL means that the
///   row held NULL there.
#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    /// The table.
    pub table: &'static Table,
    /// Only rows of this owner.
    pub owner: Option<Uuid>,
    /// Only rows that meet this.
    pub filter: Filter,
    /// The order.
    pub order: Vec<Order>,
    /// Only rows after this position in the order.
    pub after: Option<Vec<Value>>,
    /// How many rows to leave out.
    pub offset: u64,
    /// The most rows to return.
    pub limit: Option<u64>,
}

/// Counts rows. Answers [`Outcome::Count`].
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    /// The table.
    pub table: &'static Table,
    /// Only rows of this owner.
    pub owner: Option<Uuid>,
    /// Only rows that meet this.
    pub filter: Filter,
}

/// Counts rows and adds up columns. Answers [`Outcome::Rows`], a row for each group: the group's value (only with
/// `group_by`), how many rows there are (an `Int`), then each of `sums` (an `Int`).
///
/// # Behaviour
/// - Rows belong to one group when they hold equal values in `group_by`; those that hold NULL are a group too. Groups come
///   in the order of their values, as [`Value::compare`] has it, NULL last. A group without rows is not answered.
/// - Without `group_by` all rows are one group, which is answered also when there is none: everything is 0 then.
/// - NULL adds nothing to a sum.
/// - Sums are exact: only what comes out has to be an `i64`, in whatever order it was added up.
///
/// # Errors
/// `Invalid` with the column when a sum is no `i64`, or the column of a sum no integer; `Unsupported` when `group_by` is
/// JSON, which has no order.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// The table.
    pub table: &'static Table,
    /// Only rows of this owner.
    pub owner: Option<Uuid>,
    /// Only rows that meet this.
    pub filter: Filter,
    /// The column whose values make the groups.
    pub group_by: Option<usize>,
    /// The columns to add up.
    pub sums: Vec<usize>,
}

impl Aggregate {
    /// Checks that the columns can be added up and grouped by.
    ///
    /// # Errors
    /// As the verb's, but for a sum that is too large.
    pub fn check(&self) -> crate::Result<()> {
        let column = |position: &usize| &self.table.columns[*position];
        if let Some(wrong) = self.sums.iter().map(column).find(|column| column.kind != ColumnType::Int) {
            return Err(crate::Error::invalid(self.table.entity, wrong.name, "is no integer"));
        }
        match self.group_by.as_ref().map(column).filter(|column| column.kind == ColumnType::Json) {
            Some(json) => Err(crate::Error::unsupported(format!("groups by {}, which is JSON", json.name))),
            None => Ok(()),
        }
    }

    /// The sum of the column in this place of `sums`, as it is answered.
    ///
    /// # Errors
    /// `Invalid` with the column when it is no `i64`.
    pub fn sum(&self, place: usize, sum: i128) -> crate::Result<Value> {
        i64::try_from(sum).map(Value::Int).map_err(|_| {
            let column = self.sums.get(place).map_or("", |column| self.table.columns[*column].name);
            crate::Error::invalid(
                self.table.entity,
                column,
                "the sum is out of the range of a 64-bit integer",
            )
        })
    }
}

/// Writes new rows. Answers [`Outcome::Count`], the number of rows.
///
/// # Behaviour
/// - Each row holds a value for every column of the table (search copies included), in their order.
/// - All or nothing: when one row fails, none is written.
/// - No rows at all is no error and writes nothing.
/// - There is no limit on the number of rows but memory; a store splits what its database cannot take at once.
///
/// # Errors
/// - `Conflict` with the key's columns when a key is taken, also by another row of this verb. When several keys are,
///   the primary key is named first, then the unique keys in the table's order.
/// - `MissingParent` when a foreign key points nowhere.
/// - `Invalid` with the column when a CHECK, NOT NULL or the column's type refuses a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    /// The table.
    pub table: &'static Table,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

/// Changes rows. Answers [`Outcome::Rows`] with the rows as they are afterwards when `returning`, else
/// [`Outcome::Count`].
///
/// # Behaviour
/// - The rows that have `key` (when given), meet `filter` and belong to `owner` (when given) are changed, all of them or
///   none.
/// - Conditions are evaluated on the row as it is when it is changed, so that of two racers the second sees what the
///   first wrote.
///
/// # Errors
/// - As [`Insert`]; and `Invalid` with the column when [`Assign::Add`] leaves the range of `i64`. [`Assign::Add`] needs
///   a `key`, otherwise `Unsupported`.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// The table.
    pub table: &'static Table,
    /// Only rows of this owner.
    pub owner: Option<Uuid>,
    /// Only the row with this key.
    pub key: Option<Key>,
    /// Only rows that meet this: guards, or the whole choice.
    pub filter: Filter,
    /// Column positions and what they become; at least one, each column once.
    pub set: Vec<(usize, Assign)>,
    /// Return the rows?
    pub returning: bool,
}

impl Update {
    /// Does it add to a column?
    pub fn adds(&self) -> bool {
        self.set.iter().any(|(_, assign)| matches!(assign, Assign::Add(_)))
    }
}

/// Deletes rows, and with them all rows that refer to them. Answers as [`Update`] does; with `returning` the rows as they
/// were. The answer is about the rows that the verb itself means, also where one of them refers to another, and not about
/// others that go with them.
#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    /// The table.
    pub table: &'static Table,
    /// Only rows of this owner.
    pub owner: Option<Uuid>,
    /// Only the row with this key.
    pub key: Option<Key>,
    /// Only rows that meet this.
    pub filter: Filter,
    /// The most rows to delete; which of them, when there are more, is not defined.
    pub limit: Option<u64>,
    /// Return the rows?
    pub returning: bool,
}

/// Writes a row, or changes the row that holds its key. Answers [`Outcome::Row`], always `Some`.
///
/// # Behaviour
/// - When no row holds the values of the `conflict` key, `row` is written; else that row is changed by `set`.
/// - When the table has an owner, a row that belongs to another owner than `row` names is left alone and the answer is
///   `Conflict` with the `conflict` key.
///
/// # Errors
/// As [`Insert`] and [`Update`]; `Conflict` for the other keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Upsert {
    /// The table.
    pub table: &'static Table,
    /// A value for every column.
    pub row: Vec<Value>,
    /// The key that decides: the primary key or a unique key.
    pub conflict: &'static [usize],
    /// What becomes of the row that is there; at least one column.
    pub set: Vec<(usize, Assign)>,
}

/// Chooses rows and changes them, so that of concurrent claims each row goes to one. Answers [`Outcome::Rows`], the rows
/// as they are afterwards, in the order in which they were chosen.
///
/// # Behaviour
/// - At most `limit` of the rows that meet `filter`, the first in `order`; rows that another claim is changing at the
///   moment are passed over, and never waited for.
/// - With `fair_by`, rows take turns by that column's value: first the first of each value, then the second of each, and
///   so on, within a turn by `order`. NULL counts as one value.
/// - All chosen rows are changed by `set`, which makes them miss `filter`; a row is never claimed twice.
/// - `limit` 0 claims nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The table.
    pub table: &'static Table,
    /// Which rows may be claimed.
    pub filter: Filter,
    /// Which first. Core ends the order with the primary key.
    pub order: Vec<Order>,
    /// The column whose values take turns.
    pub fair_by: Option<usize>,
    /// The most rows.
    pub limit: u32,
    /// What becomes of them.
    pub set: Vec<(usize, Assign)>,
}

/// A condition on a row. A comparison with NULL, on either side, is not met.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of these; with none, always met.
    All(Vec<Filter>),
    /// Any of these; with none, never met.
    Any(Vec<Filter>),
    /// The column compares so with the value, by [`Value::compare`]; JSON columns know `Eq` and `Ne` only.
    Compare {
        /// The column's position.
        column: usize,
        /// How.
        op: Op,
        /// With what.
        value: Value,
    },
    /// The column equals one of the values.
    In {
        /// The column's position.
        column: usize,
        /// The values; there may be more than a statement takes binds.
        values: Vec<Value>,
    },
    /// The column is NULL.
    IsNull(usize),
    /// The column is not NULL.
    IsNotNull(usize),
    /// The text column contains this text, compared by bytes: `%`, `_` and `\` are ordinary characters, the empty text is
    /// contained in all but NULL.
    Contains {
        /// The column's position.
        column: usize,
        /// The text.
        text: String,
    },
}

impl Filter {
    /// The condition that every row meets.
    pub const fn always() -> Self {
        Self::All(Vec::new())
    }

    /// This condition and that one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All(mut all), other) => {
                all.push(other);
                Self::All(all)
            }
            (this, other) => Self::All(vec![this, other]),
        }
    }

    /// This condition or that one.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any(mut any), other) => {
                any.push(other);
                Self::Any(any)
            }
            (this, other) => Self::Any(vec![this, other]),
        }
    }
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// A column to sort by. NULLs come last in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The column's position.
    pub column: usize,
    /// The direction.
    pub direction: SortDirection,
}

/// What a column becomes.
#[derive(Debug, Clone, PartialEq)]
pub enum Assign {
    /// This value.
    Set(Value),
    /// What it holds plus this; the column is an integer and not NULL.
    Add(i64),
    /// This time, or a microsecond after what it holds, whichever is later; the column is a time and not NULL.
    Advance(DateTime<Utc>),
}

/// The answer to a verb; each verb's documentation says which it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// One row or none.
    Row(Option<Row>),
    /// Rows.
    Rows(Vec<Row>),
    /// A number of rows.
    Count(u64),
}

impl Outcome {
    /// How many rows it speaks of.
    pub fn rows(&self) -> u64 {
        match self {
            Self::Row(row) => u64::from(row.is_some()),
            Self::Rows(rows) => rows.len() as u64,
            Self::Count(count) => *count,
        }
    }
}

/// Verbs that happen together or not at all: the transaction that travels. It is sent whole, costs one trip where the
/// database allows it, and may share that trip with other units.
///
/// # Behaviour
/// - The steps happen in their order, each seeing what the ones before it wrote; the answers come in the same order.
/// - When a step fails, or its requirement is not met, nothing of the unit is written and the error is that step's.
/// - A row that a `Get` step with [`Require::Row`] found stays as it is until the unit has ended.
/// - A unit of reads sees one state of the database.
/// - The empty unit answers nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unit {
    /// The steps.
    pub steps: Vec<Step>,
}

impl Unit {
    /// Adds a step that may touch any number of rows.
    #[must_use]
    pub fn then(mut self, verb: Verb) -> Self {
        self.steps.push(Step { verb, require: Require::Anything });
        self
    }

    /// Adds a step that must touch at least one row; when it doesn't, the unit fails with `otherwise`.
    #[must_use]
    pub fn then_some(mut self, verb: Verb, otherwise: ErrorKind) -> Self {
        self.steps.push(Step { verb, require: Require::Row { otherwise } });
        self
    }
}

/// A verb of a unit and what it must find.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The verb.
    pub verb: Verb,
    /// What it must find.
    pub require: Require,
}

/// What a step must find for the unit to go on.
#[derive(Debug, Clone, PartialEq)]
pub enum Require {
    /// Any number of rows.
    Anything,
    /// At least one row.
    Row {
        /// The error of the unit when there is none.
        otherwise: ErrorKind,
    },
    /// No row.
    NoRow {
        /// The error of the unit when there is one.
        otherwise: ErrorKind,
    },
}

impl Require {
    /// Checks a step's answer.
    ///
    /// # Errors
    /// The requirement's own kind when it is not met.
    pub fn check(&self, outcome: &Outcome) -> crate::Result<()> {
        match self {
            Self::Row { otherwise } if outcome.rows() == 0 => Err(crate::Error::new(otherwise.clone(), "")),
            Self::NoRow { otherwise } if outcome.rows() > 0 => Err(crate::Error::new(otherwise.clone(), "")),
            _ => Ok(()),
        }
    }
}
