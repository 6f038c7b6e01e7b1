//! Groups of rows: how many, and their sums.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use super::{key::Part, rows::Stored};
use crate::{Aggregate, Outcome, Result, Row, Value};

/// A group while it is added up.
struct Group {
    value: Value,
    count: i64,
    sums: Vec<i128>,
}

impl Group {
    fn new(value: Value, aggregate: &Aggregate) -> Self {
        Self { value, count: 0, sums: vec![0; aggregate.sums.len()] }
    }

    fn add(&mut self, row: &Stored, aggregate: &Aggregate) {
        self.count += 1;
        for (sum, column) in self.sums.iter_mut().zip(&aggregate.sums) {
            if let Value::Int(number) = row.value(*column) {
                *sum += i128::from(*number);
            }
        }
    }

    fn into_row(self, aggregate: &Aggregate) -> Result<Row> {
        let mut values: Vec<_> = aggregate.group_by.map(|_| self.value).into_iter().collect();
        values.push(Value::Int(self.count));
        for (place, sum) in self.sums.into_iter().enumerate() {
            values.push(aggregate.sum(place, sum)?);
        }
        Ok(Row::new(values))
    }
}

/// The answer of the verb to these rows, which are all that it means.
///
/// # Errors
/// Those of the verb.
pub(super) fn aggregated(aggregate: &Aggregate, rows: &[Arc<Stored>]) -> Result<Outcome> {
    aggregate.check()?;
    let mut groups: Vec<_> = match aggregate.group_by {
        Some(column) => grouped(aggregate, column, rows),
        None => {
            let mut all = Group::new(Value::Null, aggregate);
            rows.iter().for_each(|row| all.add(row, aggregate));
            vec![all]
        }
    };
    groups.sort_by(|a, b| in_order(&a.value, &b.value));
    groups.into_iter().map(|group| group.into_row(aggregate)).collect::<Result<_>>().map(Outcome::Rows)
}

fn grouped(aggregate: &Aggregate, column: usize, rows: &[Arc<Stored>]) -> Vec<Group> {
    let mut groups = BTreeMap::new();
    for row in rows {
        let value = row.value(column);
        let group = groups.entry(Part::of(value)).or_insert_with(|| Group::new(value.clone(), aggregate));
        group.add(row, aggregate);
    }
    groups.into_values().collect()
}

/// NULL comes last.
fn in_order(a: &Value, b: &Value) -> Ordering {
    a.compare(b).unwrap_or_else(|| a.is_null().cmp(&b.is_null()))
}
