//! Which rows a verb means, and in which order.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use uuid::Uuid;

use super::{key::Part, rows::Stored};
use crate::{Assign, Error, ErrorKind, Filter, Op, Order, Result, SortDirection, Table, Value, Verb};

/// A filter, ready to be asked about many rows.
pub(super) type Matcher<'a> = Box<dyn Fn(&Stored) -> bool + 'a>;

/// Prepares a filter.
pub(super) fn matcher(filter: &Filter) -> Matcher<'_> {
    match filter {
        Filter::All(all) => {
            let all: Vec<_> = all.iter().map(matcher).collect();
            Box::new(move |row| all.iter().all(|matches| matches(row)))
        }
        Filter::Any(any) => {
            let any: Vec<_> = any.iter().map(matcher).collect();
            Box::new(move |row| any.iter().any(|matches| matches(row)))
        }
        Filter::Compare { column, op, value } => {
            Box::new(move |row| compares(row.value(*column), *op, value))
        }
        Filter::In { column, values } => {
            let values: BTreeSet<_> = values.iter().filter_map(Part::of).collect();
            Box::new(move |row| Part::of(row.value(*column)).is_some_and(|part| values.contains(&part)))
        }
        Filter::IsNull(column) => Box::new(move |row| row.value(*column).is_null()),
        Filter::IsNotNull(column) => Box::new(move |row| !row.value(*column).is_null()),
        Filter::Contains { column, text } => Box::new(
            move |row| matches!(row.value(*column), Value::Text(found) if found.contains(text.as_str())),
        ),
    }
}

fn compares(found: &Value, op: Op, value: &Value) -> bool {
    if let (Value::Json(found), Value::Json(value)) = (found, value) {
        return match op {
            Op::Eq => found == value,
            Op::Ne => found != value,
            Op::Lt | Op::Le | Op::Gt | Op::Ge => false,
        };
    }
    found.compare(value).is_some_and(|ordering| match op {
        Op::Eq => ordering.is_eq(),
        Op::Ne => ordering.is_ne(),
        Op::Lt => ordering.is_lt(),
        Op::Le => ordering.is_le(),
        Op::Gt => ordering.is_gt(),
        Op::Ge => ordering.is_ge(),
    })
}

/// Does the row belong to `owner`? To nobody, every row does; to somebody, no row of a table without an owner.
pub(super) fn belongs(table: &Table, row: &Stored, owner: Option<Uuid>) -> bool {
    match (owner, table.owner) {
        (None, _) => true,
        (Some(owner), Some(column)) => *row.value(column) == Value::Uuid(owner),
        (Some(_), None) => false,
    }
}

/// Sorts rows; those that are equal in the order keep their places.
pub(super) fn sort(rows: &mut [Arc<Stored>], order: &[Order]) {
    rows.sort_by(|a, b| {
        first_difference(order.iter().map(|order| compare_in(*order, a, b.value(order.column))))
    });
}

/// Does the row come after this position in the order?
pub(super) fn is_after(row: &Stored, order: &[Order], position: &[Value]) -> bool {
    let values = order.iter().zip(position);
    first_difference(values.map(|(order, value)| compare_in(*order, row, value))).is_gt()
}

fn first_difference(mut orderings: impl Iterator<Item = Ordering>) -> Ordering {
    orderings.find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
}

/// Where the row stands against a value of the order's column: NULLs come last in both directions.
fn compare_in(order: Order, row: &Stored, value: &Value) -> Ordering {
    let found = row.value(order.column);
    match (found.is_null(), value.is_null(), order.direction) {
        (false, false, SortDirection::Asc) => found.compare(value).unwrap_or(Ordering::Equal),
        (false, false, SortDirection::Desc) => value.compare(found).unwrap_or(Ordering::Equal),
        (found_null, value_null, _) => found_null.cmp(&value_null),
    }
}

/// Sorted rows in turns: the first of each value of the column, then the second of each, and so on; within a turn they
/// keep their order.
pub(super) fn in_turns(rows: Vec<Arc<Stored>>, column: usize) -> Vec<Arc<Stored>> {
    let mut seen: BTreeMap<Option<Part>, usize> = BTreeMap::new();
    let mut turns: BTreeMap<usize, Vec<Arc<Stored>>> = BTreeMap::new();
    for row in rows {
        let turn = seen.entry(Part::of(row.value(column))).or_default();
        turns.entry(*turn).or_default().push(row);
        *turn += 1;
    }
    turns.into_values().flatten().collect()
}

/// Checks that the table has every column that the verb names.
///
/// # Errors
/// `Schema` when it has not; `Unsupported` when the columns of a key are no key of the table.
pub(super) fn check_columns(table: &'static Table, verb: &Verb) -> Result<()> {
    let mut columns = Vec::new();
    let mut key = None;
    match verb {
        Verb::Get(get) => key = Some(get.key.columns),
        Verb::Select(select) => {
            filter_columns(&select.filter, &mut columns);
            columns.extend(select.order.iter().map(|order| order.column));
        }
        Verb::Count(count) => filter_columns(&count.filter, &mut columns),
        Verb::Aggregate(aggregate) => {
            filter_columns(&aggregate.filter, &mut columns);
            columns.extend(aggregate.sums.iter().copied().chain(aggregate.group_by));
        }
        Verb::Insert(_) => {}
        Verb::Update(update) => {
            key = update.key.as_ref().map(|key| key.columns);
            filter_columns(&update.filter, &mut columns);
            set_columns(&update.set, &mut columns);
        }
        Verb::Delete(delete) => {
            key = delete.key.as_ref().map(|key| key.columns);
            filter_columns(&delete.filter, &mut columns);
        }
        Verb::Upsert(upsert) => {
            key = Some(upsert.conflict);
            set_columns(&upsert.set, &mut columns);
        }
        Verb::Claim(claim) => {
            filter_columns(&claim.filter, &mut columns);
            columns.extend(claim.order.iter().map(|order| order.column).chain(claim.fair_by));
            set_columns(&claim.set, &mut columns);
        }
    }
    if let Some(column) = columns.into_iter().find(|&column| column >= table.columns.len()) {
        let context = format!("the table {} has no column at position {column}", table.name);
        return Err(Error::new(ErrorKind::Schema, context));
    }
    if key.is_some_and(|key| table.key(key).is_none()) {
        return Err(Error::unsupported(format!("a look-up in {} by what is no key of it", table.name)));
    }
    Ok(())
}

fn set_columns(set: &[(usize, Assign)], columns: &mut Vec<usize>) {
    columns.extend(set.iter().map(|(column, _)| *column));
}

fn filter_columns(filter: &Filter, columns: &mut Vec<usize>) {
    match filter {
        Filter::All(filters) | Filter::Any(filters) => {
            filters.iter().for_each(|filter| filter_columns(filter, columns));
        }
        Filter::Compare { column, .. }
        | Filter::In { column, .. }
        | Filter::IsNull(column)
        | Filter::IsNotNull(column)
        | Filter::Contains { column, .. } => columns.push(*column),
    }
}
