//! What `#[derive(Entity)]` implements: an entity and its companions.

use std::fmt;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{ColumnValue, EnumType, Id, ListRequest, Result, Row, Table, Value, WrongType};

/// A struct that is a row of a table. Derive it; the derive's documentation has the attributes.
pub trait Entity: Sized + Clone + fmt::Debug + Send + Sync + 'static {
    /// The table's metadata.
    const TABLE: &'static Table;
    /// The primary key: [`Id<Self>`](Id), another column's type, or a tuple of several.
    type Key: EntityKey;
    /// What a caller gives to create one: `NewJob`.
    type New: NewEntity<Entity = Self>;
    /// What a caller gives to change one: `JobPatch`.
    type Patch: EntityPatch<Entity = Self>;
    /// What a caller gives to list them: `ListJobs`.
    type List: ListQuery<Entity = Self>;
    /// [`Owned`] when rows belong to a user, else [`Unowned`].
    type Ownership: Ownership;

    /// The entity that a row holds.
    ///
    /// # Errors
    /// `Corrupt` with the column when a value cannot be read as its field's type.
    fn from_row(row: Row) -> Result<Self>;

    /// Its primary key.
    fn key(&self) -> Self::Key;
}

/// Whether rows of an entity belong to a user: a type, so that the compiler knows it.
pub trait Ownership: sealed::Sealed {}

/// Rows belong to a user; a repository needs one.
#[derive(Debug, Clone, Copy)]
pub struct Owned;

/// Rows belong to nobody, or are the users themselves; a repository is for the system.
#[derive(Debug, Clone, Copy)]
pub struct Unowned;

impl Ownership for Owned {}
impl Ownership for Unowned {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Owned {}
    impl Sealed for super::Unowned {}
}

/// The value of a primary key.
pub trait EntityKey: Send {
    /// The columns' values, in the key's order.
    ///
    /// # Errors
    /// When one cannot be stored in its column.
    fn into_values(self) -> Result<Vec<Value>, WrongType>;
}

impl<E> EntityKey for Id<E> {
    fn into_values(self) -> Result<Vec<Value>, WrongType> {
        Ok(vec![self.into_value()?])
    }
}

impl EntityKey for String {
    fn into_values(self) -> Result<Vec<Value>, WrongType> {
        Ok(vec![self.into_value()?])
    }
}

impl EntityKey for i64 {
    fn into_values(self) -> Result<Vec<Value>, WrongType> {
        Ok(vec![self.into_value()?])
    }
}

impl<A: ColumnValue + Send, B: ColumnValue + Send> EntityKey for (A, B) {
    fn into_values(self) -> Result<Vec<Value>, WrongType> {
        Ok(vec![self.0.into_value()?, self.1.into_value()?])
    }
}

/// What larder itself writes into a new row.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// The new row's id.
    pub id: Uuid,
    /// The owner; `Some` for every owned entity.
    pub owner: Option<Uuid>,
    /// The present instant, in whole microseconds.
    pub now: DateTime<Utc>,
}

/// The companion that creates an entity: the fields that a caller may set.
pub trait NewEntity: Send {
    /// The entity.
    type Entity: Entity;

    /// A value for each of the table's visible columns, in their order.
    ///
    /// # Errors
    /// `Invalid` with the field when a value cannot be stored at all. Rules are checked afterwards.
    fn into_values(self, stamp: &Stamp) -> Result<Vec<Value>>;
}

/// The companion that changes an entity: a [`Change`](crate::Change) for each field that a caller may change.
pub trait EntityPatch: Send {
    /// The entity.
    type Entity: Entity;

    /// The columns that change, by position, and their new values.
    ///
    /// # Errors
    /// As [`NewEntity::into_values`].
    fn into_changes(self) -> Result<Vec<(usize, Value)>>;
}

/// The companion that lists entities.
pub trait ListQuery: Send {
    /// The entity.
    type Entity: Entity;

    /// The list that is asked for. Limits are checked afterwards.
    ///
    /// # Errors
    /// As [`NewEntity::into_values`], for filters.
    fn into_request(self) -> Result<ListRequest>;
}

/// An enumeration whose values are stored as text. Derive it with `#[derive(EnumText)]`.
pub trait EnumText: Sized {
    /// Its metadata.
    const ENUM: &'static EnumType;

    /// The text of this value.
    fn text(&self) -> &'static str;

    /// The value of this text; `None` when there is none.
    fn from_text(text: &str) -> Option<Self>;
}
