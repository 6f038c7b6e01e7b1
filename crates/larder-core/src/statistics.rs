//! How many there are, and what they come to.

use crate::{
    Aggregate, ColumnValue, Entity, Error, Field, Filter, Repo, Result, Row, Value, Verb, repo::rows_of,
};

/// How many rows there are, and the sums of `N` of their fields, in the order in which they were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals<const N: usize> {
    /// How many rows.
    pub count: u64,
    /// The sum of each field; 0 when there are no rows.
    pub sums: [i64; N],
}

impl<E: Entity> Repo<E> {
    /// How many meet `filter`, and what these fields of them come to.
    ///
    /// # Errors
    /// `Invalid` with the field when a sum is no `i64`.
    pub async fn sums<const N: usize>(
        &self,
        filter: Filter,
        fields: [Field<E, i64>; N],
    ) -> Result<Totals<N>> {
        let groups = self.aggregate(filter, None, &fields).await?;
        let [row] = <[Row; 1]>::try_from(groups).map_err(|_| wrong::<E>())?;
        totals::<E, N>(row.values())
    }

    /// How many of those that meet `filter` hold each value of the field, in the order of the values, `None` last. A value
    /// that none holds is not among them.
    ///
    /// # Errors
    /// `Unsupported` when the field is JSON.
    pub async fn count_by<T: ColumnValue, K>(
        &self,
        field: Field<E, T, K>,
        filter: Filter,
    ) -> Result<Vec<(T, u64)>> {
        let groups = self.sums_by(field, filter, []).await?;
        Ok(groups.into_iter().map(|(value, Totals { count, .. })| (value, count)).collect())
    }

    /// As [`Repo::count_by`], with what these fields come to for each value.
    ///
    /// # Errors
    /// As [`Repo::count_by`] and [`Repo::sums`].
    pub async fn sums_by<T: ColumnValue, K, const N: usize>(
        &self,
        field: Field<E, T, K>,
        filter: Filter,
        fields: [Field<E, i64>; N],
    ) -> Result<Vec<(T, Totals<N>)>> {
        let groups = self.aggregate(filter, Some(field.position()), &fields).await?;
        let group = |row: Row| {
            let mut values = row.into_values();
            if values.is_empty() {
                return Err(wrong::<E>());
            }
            let value = T::from_value(values.remove(0)).map_err(|wrong| {
                let name = E::TABLE.columns[field.position()].name;
                Error::corrupt(E::TABLE.entity, name).with_context(wrong.0)
            })?;
            Ok((value, totals::<E, N>(&values)?))
        };
        groups.into_iter().map(group).collect()
    }

    async fn aggregate(
        &self,
        filter: Filter,
        group_by: Option<usize>,
        sums: &[Field<E, i64>],
    ) -> Result<Vec<Row>> {
        let sums = sums.iter().map(|field| field.position()).collect();
        let verb = Aggregate { table: E::TABLE, owner: self.owner(), filter, group_by, sums };
        rows_of(self.context().execute(Verb::Aggregate(verb)).await?)
    }
}

/// The totals of a group, whose values are its count and its sums.
fn totals<E: Entity, const N: usize>(values: &[Value]) -> Result<Totals<N>> {
    let number = |value: &Value| match value {
        Value::Int(number) => Ok(*number),
        _ => Err(wrong::<E>()),
    };
    let [count, sums @ ..] = values else { return Err(wrong::<E>()) };
    let sums = sums.iter().map(number).collect::<Result<Vec<_>>>()?;
    let sums = <[i64; N]>::try_from(sums).map_err(|_| wrong::<E>())?;
    Ok(Totals { count: number(count)?.unsigned_abs(), sums })
}

/// A store that answers other columns than the verb says is broken.
fn wrong<E: Entity>() -> Error {
    Error::corrupt(E::TABLE.entity, "").with_context("the store answered other totals than it was asked for")
}
