//! Typed handles on an entity's columns, for conditions and assignments.

use std::{fmt, marker::PhantomData};

use chrono::{DateTime, Utc};

use crate::{
    Assign, ColumnValue, Entity, Filter, Op, Order, Result, SortDirection, Value,
    prepare::{normalize, value_of},
};

/// A column of entity `E` that holds a `T`. `#[derive(Entity)]` writes one constant for each field: `Job::STATUS`. `K` is
/// [`Refers`] when the field is a parent or the owner, else [`Plain`].
pub struct Field<E, T, K = Plain> {
    position: usize,
    marker: PhantomData<Marker<E, T, K>>,
}

type Marker<E, T, K> = fn() -> (E, T, K);

/// The kind of a [`Field`] that holds a value.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

/// The kind of a [`Field`] that refers to another entity, the parent or the owner: relations go by it
/// ([`Field::children`], [`Field::parent`]).
#[derive(Debug, Clone, Copy)]
pub struct Refers;

/// Used by `#[derive(Entity)]`, which knows the positions.
#[doc(hidden)]
pub const fn field<E, T, K>(position: usize) -> Field<E, T, K> {
    Field { position, marker: PhantomData }
}

impl<E, T, K> Clone for Field<E, T, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E, T, K> Copy for Field<E, T, K> {}

impl<E: Entity, T, K> fmt::Debug for Field<E, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", E::TABLE.entity, E::TABLE.columns[self.position].name)
    }
}

impl<E: Entity, T, K> Field<E, T, K> {
    /// The column's position in [`Table::columns`](crate::Table::columns).
    pub const fn position(self) -> usize {
        self.position
    }

    /// The order by this column. NULLs come last in both directions.
    pub const fn order(self, direction: SortDirection) -> Order {
        Order { column: self.position, direction }
    }

    /// The column is NULL.
    pub const fn is_null(self) -> Filter {
        Filter::IsNull(self.position)
    }

    /// The column is not NULL.
    pub const fn is_not_null(self) -> Filter {
        Filter::IsNotNull(self.position)
    }
}

impl<E: Entity, T: ColumnValue, K> Field<E, T, K> {
    /// The value as it is stored, so that it equals what is found in the column.
    fn value(self, value: T) -> Result<Value> {
        normalize(E::TABLE, self.position, value_of(E::TABLE, self.position, value)?)
    }

    fn compare(self, op: Op, value: T) -> Result<Filter> {
        Ok(Filter::Compare { column: self.position, op, value: self.value(value)? })
    }

    /// The column equals `value`.
    ///
    /// # Errors
    /// `Invalid` when the value cannot be stored in such a column; likewise for the other comparisons.
    pub fn eq(self, value: T) -> Result<Filter> {
        self.compare(Op::Eq, value)
    }

    /// The column differs from `value` (and is not NULL).
    ///
    /// # Errors
    /// As [`Field::eq`].
    pub fn ne(self, value: T) -> Result<Filter> {
        self.compare(Op::Ne, value)
    }

    /// The column is less than `value`.
    ///
    /// # Errors
    /// As [`Field::eq`].
    pub fn lt(self, value: T) -> Result<Filter> {
        self.compare(Op::Lt, value)
    }

    /// The column is at most `value`.
    ///
    /// # Errors
    /// As [`Field::eq`].
    pub fn le(self, value: T) -> Result<Filter> {
        self.compare(Op::Le, value)
    }

    /// The column is greater than `value`.
    ///
    /// # Errors
    /// As [`Field::eq`].
    pub fn gt(self, value: T) -> Result<Filter> {
        self.compare(Op::Gt, value)
    }

    /// The column is at least `value`.
    ///
    /// # Errors
    /// As [`Field::eq`].
    pub fn ge(self, value: T) -> Result<Filter> {
        self.compare(Op::Ge, value)
    }

    /// The column is one of `values`; of none, when there are none.
    ///
    /// # Errors
    /// As [`Field::eq`].
    pub fn is_in(self, values: impl IntoIterator<Item = T>) -> Result<Filter> {
        let values = values.into_iter().map(|value| self.value(value)).collect::<Result<_>>()?;
        Ok(Filter::In { column: self.position, values })
    }

    /// Sets the column to `value`.
    ///
    /// # Errors
    /// As [`Field::eq`].
    pub fn set(self, value: T) -> Result<(usize, Assign)> {
        Ok((self.position, Assign::Set(self.value(value)?)))
    }
}

impl<E: Entity> Field<E, i64> {
    /// Adds `delta`; a sum that is no `i64` is `Invalid`.
    pub const fn add(self, delta: i64) -> (usize, Assign) {
        (self.position, Assign::Add(delta))
    }
}

impl<E: Entity> Field<E, DateTime<Utc>> {
    /// Sets the column to `now`, or to a microsecond after what it holds when that is later.
    pub const fn advance(self, now: DateTime<Utc>) -> (usize, Assign) {
        (self.position, Assign::Advance(now))
    }
}
