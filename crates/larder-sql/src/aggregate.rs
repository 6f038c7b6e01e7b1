//! Groups of rows: how many, and their sums.

use larder_core::{Aggregate, ColumnType, Error, Order, Result, Row, SortDirection, Value};

use crate::{Dialect, Returns, Statement, writer::Writer};

/// How many bits of a number its low part holds.
const LOW_BITS: u32 = 32;

/// The statement of an [`Aggregate`]: what [`aggregated`] makes the answer of.
///
/// Of each sum it answers two parts, an `Int` each: that of the high bits of the numbers, which are divided by 2³², and
/// that of their low bits. Neither can overflow, in whatever order the database adds up; it would with the numbers
/// themselves, on SQLite also when only a sum on the way is too large.
pub fn aggregate(dialect: Dialect, aggregate: &Aggregate) -> Statement {
    write_aggregate(Writer::new(dialect, aggregate.table), aggregate)
}

pub(crate) fn write_aggregate(mut writer: Writer, aggregate: &Aggregate) -> Statement {
    let Aggregate { table, owner, filter, group_by, sums } = aggregate;
    let mut types = Vec::with_capacity(2 + 2 * sums.len());
    writer.push("SELECT ");
    if let Some(column) = *group_by {
        writer.read_form(column);
        writer.push(", ");
        types.push(table.columns[column].kind);
    }
    writer.push("count(*)");
    for &column in sums {
        sum(&mut writer, column, " >> ", u64::from(LOW_BITS));
        sum(&mut writer, column, " & ", (1 << LOW_BITS) - 1);
    }
    writer.push(" FROM ");
    writer.table_name();
    writer.conditions(None, *owner, filter);
    if let Some(column) = *group_by {
        writer.push(" GROUP BY ");
        writer.column(column);
        writer.order(&[Order { column, direction: SortDirection::Asc }]);
    }
    types.extend(std::iter::repeat_n(ColumnType::Int, 1 + 2 * sums.len()));
    writer.finish(Returns::Types(types))
}

/// The sum of a part of the column; both databases shift negative numbers towards minus infinity.
fn sum(writer: &mut Writer, column: usize, operator: &str, operand: u64) {
    writer.push(", COALESCE(sum(");
    writer.column(column);
    writer.push(operator);
    writer.number(operand);
    writer.push("), 0)");
    if writer.dialect == Dialect::Postgres {
        // PostgreSQL adds up numbers of 64 bits as decimals.
        writer.push("::bigint");
    }
}

/// The answer to an [`Aggregate`] from the rows that its statement returned.
///
/// # Errors
/// `Invalid` with the column when a sum is no `i64`.
pub fn aggregated(aggregate: &Aggregate, rows: Vec<Row>) -> Result<Vec<Row>> {
    rows.into_iter().map(|row| with_sums(aggregate, row)).collect()
}

fn with_sums(aggregate: &Aggregate, row: Row) -> Result<Row> {
    let mut values = row.into_values();
    let first = values.len().min(usize::from(aggregate.group_by.is_some()) + 1);
    let parts = values.split_off(first);
    for (place, parts) in parts.chunks(2).enumerate() {
        let [Value::Int(high), Value::Int(low)] = parts else {
            return Err(Error::corrupt(aggregate.table.entity, "").with_context("a sum that is no number"));
        };
        values.push(aggregate.sum(place, (i128::from(*high) << LOW_BITS) + i128::from(*low))?);
    }
    Ok(Row::new(values))
}

#[cfg(test)]
mod tests {
    use larder_core::{ErrorKind, Filter};

    use super::*;
    use crate::fixtures::{JOBS, text, uuid, values};

    fn of_jobs(group_by: Option<usize>, sums: Vec<usize>) -> Aggregate {
        let owner = Some(uuid::Uuid::from_u128(1));
        Aggregate { table: &JOBS, owner, filter: Filter::IsNull(3), group_by, sums }
    }

    #[test]
    fn groups_are_read_and_sorted_as_text() {
        let statement = aggregate(Dialect::Postgres, &of_jobs(Some(2), vec![4]));
        let expected = r#"SELECT "status"::text, count(*), COALESCE(sum("count" >> 32), 0)::bigint, COALESCE(sum("count" & 4294967295), 0)::bigint FROM "jobs" WHERE "user_id" = $1 AND "due" IS NULL GROUP BY "status" ORDER BY "status"::text COLLATE "C" ASC"#;
        assert_eq!(statement.text, expected);
        assert_eq!(values(&statement), [uuid(1)]);
        let Returns::Types(types) = statement.returns else { panic!() };
        assert_eq!(types, [JOBS.columns[2].kind, ColumnType::Int, ColumnType::Int, ColumnType::Int]);
        let statement = aggregate(Dialect::Sqlite, &of_jobs(Some(3), vec![]));
        let expected = r#"SELECT "due", count(*) FROM "jobs" WHERE "user_id" = ?1 AND "due" IS NULL GROUP BY "due" ORDER BY "due" ASC NULLS LAST"#;
        assert_eq!(statement.text, expected);
    }

    #[test]
    fn everything_is_one_group() {
        let statement = aggregate(Dialect::Sqlite, &of_jobs(None, vec![4]));
        let expected = r#"SELECT count(*), COALESCE(sum("count" >> 32), 0), COALESCE(sum("count" & 4294967295), 0) FROM "jobs" WHERE "user_id" = ?1 AND "due" IS NULL"#;
        assert_eq!(statement.text, expected);
    }

    #[test]
    fn sums_are_put_together_from_their_parts() {
        let of = |numbers: &[i64]| {
            let high = numbers.iter().map(|number| number >> 32).sum();
            let low = numbers.iter().map(|number| number & 0xffff_ffff).sum();
            let row = vec![text("ON"), Value::Int(numbers.len() as i64), Value::Int(high), Value::Int(low)];
            aggregated(&of_jobs(Some(2), vec![4]), vec![Row::new(row)])
        };
        for (numbers, sum) in [
            (&[][..], 0),
            (&[5, -7], -2),
            (&[i64::MAX, 1, -1], i64::MAX),
            (&[i64::MIN, -1, 1], i64::MIN),
            (&[i64::MAX, i64::MIN], -1),
        ] {
            let row = Row::new(vec![text("ON"), Value::Int(numbers.len() as i64), Value::Int(sum)]);
            assert_eq!(of(numbers).unwrap(), [row]);
        }
        for numbers in [[i64::MAX, 1], [i64::MIN, -1]] {
            let error = of(&numbers).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Invalid { field, .. } if field == "count"));
        }
    }
}
