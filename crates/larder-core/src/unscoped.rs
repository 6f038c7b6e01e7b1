//! Verbs over all users' rows, for the system.

use crate::{
    Assign, Claim, ColumnValue, Context, Entity, Error, Field, Filter, Order, Repo, Result, Stream, Totals,
    Verb,
    repo::{checked_assignments, rows_of},
};

/// All users' rows of an owned entity: what a scheduler needs, and no more. Obtained from
/// [`SystemScope::all_users`](crate::SystemScope::all_users).
#[derive(Debug, Clone)]
pub struct Unscoped<E>(Repo<E>);

impl<E: Entity> Unscoped<E> {
    pub(crate) fn new(context: Context) -> Self {
        Self(Repo::new(context, None))
    }

    /// The ground that it stands on, for operations of one's own.
    pub fn context(&self) -> &Context {
        self.0.context()
    }

    /// The one with this key, whoever's it is; `None` when there is none.
    ///
    /// # Errors
    /// Those of the connection, and `Corrupt`.
    pub async fn get(&self, key: E::Key) -> Result<Option<E>> {
        self.0.get(key).await
    }

    /// The one that holds `value` in a field that is unique, whoever's it is; as [`Repo::get_by`].
    ///
    /// # Errors
    /// As [`Repo::get_by`].
    pub async fn get_by<T: ColumnValue, K>(&self, field: Field<E, T, K>, value: T) -> Result<Option<E>> {
        self.0.get_by(field, value).await
    }

    /// Changes the one with this key if it meets `guard`; as [`Repo::update_if`](crate::Repo::update_if).
    ///
    /// # Errors
    /// As [`Repo::update_if`](crate::Repo::update_if).
    pub async fn update_if(
        &self,
        key: E::Key,
        guard: Filter,
        set: Vec<(usize, Assign)>,
    ) -> Result<Option<E>> {
        self.0.update_if(key, guard, set).await
    }

    /// Deletes the one with this key, whoever's it is, and all that belongs to it.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete(&self, key: E::Key) -> Result<()> {
        self.0.delete(key).await
    }

    /// Claims at most `limit` rows that meet `filter`, the first in `order` (ties by the primary key), the values of
    /// `fair_by` taking turns; `set` makes them miss `filter`. [`Claim`] states the behaviour. `updated_at` moves forward.
    ///
    /// # Errors
    /// `Invalid` when an assignment breaks a rule.
    pub async fn claim<T, K>(
        &self,
        filter: Filter,
        mut order: Vec<Order>,
        fair_by: Option<Field<E, T, K>>,
        limit: u32,
        set: Vec<(usize, Assign)>,
    ) -> Result<Vec<E>> {
        let table = E::TABLE;
        let ties = table.primary_key.iter().filter(|key| order.iter().all(|by| by.column != **key));
        let ties: Vec<_> =
            ties.map(|&column| Order { column, direction: crate::SortDirection::Asc }).collect();
        order.extend(ties);
        let mut set = checked_assignments::<E>(set)?;
        set.extend(table.updated_at.map(|column| (column, Assign::Advance(self.context().now()))));
        let fair_by = fair_by.map(Field::position);
        let claim = Claim { table, filter, order, fair_by, limit, set };
        rows_of(self.context().execute(Verb::Claim(claim)).await?)?.into_iter().map(E::from_row).collect()
    }

    /// How many meet `filter`, of all users.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn count(&self, filter: Filter) -> Result<u64> {
        self.0.count(filter).await
    }

    /// What those of all users that meet `filter` come to; as [`Repo::sums`].
    ///
    /// # Errors
    /// As [`Repo::sums`].
    pub async fn sums<const N: usize>(
        &self,
        filter: Filter,
        fields: [Field<E, i64>; N],
    ) -> Result<Totals<N>> {
        self.0.sums(filter, fields).await
    }

    /// How many of all users' hold each value of the field; as [`Repo::count_by`].
    ///
    /// # Errors
    /// As [`Repo::count_by`].
    pub async fn count_by<T: ColumnValue, K>(
        &self,
        field: Field<E, T, K>,
        filter: Filter,
    ) -> Result<Vec<(T, u64)>> {
        self.0.count_by(field, filter).await
    }

    /// What all users' come to for each value of the field; as [`Repo::sums_by`].
    ///
    /// # Errors
    /// As [`Repo::sums_by`].
    pub async fn sums_by<T: ColumnValue, K, const N: usize>(
        &self,
        field: Field<E, T, K>,
        filter: Filter,
        fields: [Field<E, i64>; N],
    ) -> Result<Vec<(T, Totals<N>)>> {
        self.0.sums_by(field, filter, fields).await
    }

    /// All that meet `filter`, of all users, as they are read; as [`Repo::stream`].
    pub fn stream(&self, filter: Filter) -> impl Stream<Item = Result<E>> + Send + use<E> {
        self.0.stream(filter)
    }

    /// Deletes all that meet `filter`, of all users, in batches; as [`Repo::purge`].
    ///
    /// # Errors
    /// As [`Repo::purge`].
    pub async fn purge(&self, filter: Filter) -> Result<u64> {
        self.0.purge(filter).await
    }

    /// The error of an operation on the one with this key that found nothing to change: `otherwise` when it is there,
    /// else `NotFound`.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn explain(&self, key: E::Key, otherwise: Error) -> Result<Error> {
        Ok(if self.get(key).await?.is_some() { otherwise } else { Error::not_found(E::TABLE.entity) })
    }
}
