//! Get, select and count.

use larder_core::{ColumnType, Count, Filter, Get, Select, Value};

use crate::{Dialect, Returns, Statement, writer::Writer};

/// How long a row that was read stays as it is. PostgreSQL only: on SQLite a writer is alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Nobody changes it until the transaction has ended.
    Share,
    /// As `Share`, and nobody else locks it: for a row that the transaction may change itself, because two that both
    /// changed what they share would deadlock.
    Update,
}

impl Lock {
    /// What ends the statement.
    pub(crate) fn clause(self) -> &'static str {
        match self {
            Self::Share => " FOR SHARE",
            Self::Update => " FOR NO KEY UPDATE",
        }
    }
}

/// The statement of a [`Get`]: one row or none.
pub fn get(dialect: Dialect, get: &Get) -> Statement {
    write_get(Writer::new(dialect, get.table), get, "")
}

/// As [`get`] on PostgreSQL, and the row is locked until the transaction has ended.
pub fn get_locked(get: &Get, lock: Lock) -> Statement {
    write_get(Writer::new(Dialect::Postgres, get.table), get, lock.clause())
}

pub(crate) fn write_get(mut writer: Writer, get: &Get, lock: &str) -> Statement {
    select_visible(&mut writer);
    writer.conditions(Some(&get.key), get.owner, &Filter::always());
    writer.push(lock);
    writer.finish(Returns::Visible(get.table))
}

/// The statement of a [`Select`].
pub fn select(dialect: Dialect, select: &Select) -> Statement {
    write_select(Writer::new(dialect, select.table), select)
}

/// As [`select`] on SQLite, by the table's search index: see [`select_goes_by_search`](crate::select_goes_by_search).
pub fn select_by_search(select: &Select) -> Statement {
    write_select(Writer::new(Dialect::Sqlite, select.table).by_search(), select)
}

pub(crate) fn write_select(mut writer: Writer, select: &Select) -> Statement {
    select_visible(&mut writer);
    writer.conditions(None, select.owner, &select.filter);
    if let Some(position) = &select.after {
        writer.push(" AND ");
        writer.after(&select.order, position);
    }
    writer.order(&select.order);
    limit(&mut writer, select);
    writer.finish(Returns::Visible(select.table))
}

fn select_visible(writer: &mut Writer) {
    writer.push("SELECT ");
    writer.visible();
    writer.push(" FROM ");
    writer.table_name();
}

fn limit(writer: &mut Writer, select: &Select) {
    // The limit is part of the text, so that the planner knows how little is wanted. Past i64::MAX there are no rows.
    if let Some(limit) = select.limit {
        writer.push(" LIMIT ");
        writer.number(limit.min(i64::MAX as u64));
    } else if select.offset > 0 && writer.dialect == Dialect::Sqlite {
        // SQLite has no OFFSET without LIMIT.
        writer.push(" LIMIT -1");
    }
    if select.offset > 0 {
        writer.push(" OFFSET ");
        writer.bind(ColumnType::Int, Value::Int(i64::try_from(select.offset).unwrap_or(i64::MAX)));
    }
}

/// The statement of a [`Count`]: one row with one `Int`.
pub fn count(dialect: Dialect, count: &Count) -> Statement {
    write_count(Writer::new(dialect, count.table), count)
}

/// As [`count`] on SQLite, by the table's search index: see [`count_goes_by_search`](crate::count_goes_by_search).
pub fn count_by_search(count: &Count) -> Statement {
    write_count(Writer::new(Dialect::Sqlite, count.table).by_search(), count)
}

pub(crate) fn write_count(mut writer: Writer, count: &Count) -> Statement {
    writer.push("SELECT count(*) FROM ");
    writer.table_name();
    writer.conditions(None, count.owner, &count.filter);
    writer.finish(Returns::Types(vec![ColumnType::Int]))
}

#[cfg(test)]
mod tests {
    use larder_core::{Key, Op, Order, SortDirection};

    use super::*;
    use crate::{
        Bind,
        fixtures::{JOBS, ODDS, text, uuid, values},
    };

    fn filtered(dialect: Dialect, filter: Filter) -> Statement {
        let statement = count(dialect, &Count { table: &JOBS, owner: None, filter });
        let text = statement.text.replace("SELECT count(*) FROM \"jobs\" WHERE ", "");
        Statement { text, ..statement }
    }

    fn odd(dialect: Dialect, filter: Filter) -> String {
        let statement = count(dialect, &Count { table: &ODDS, owner: None, filter });
        statement.text.replace("SELECT count(*) FROM \"odds\" WHERE ", "")
    }

    fn compare(column: usize, op: Op, value: Value) -> Filter {
        Filter::Compare { column, op, value }
    }

    fn all(order: Vec<Order>) -> Select {
        Select {
            table: &JOBS,
            owner: None,
            filter: Filter::always(),
            order,
            after: None,
            offset: 0,
            limit: None,
        }
    }

    fn by(column: usize, direction: SortDirection) -> Order {
        Order { column, direction }
    }

    #[test]
    fn look_ups_name_the_owner() {
        let key = Key { columns: &[0], values: vec![uuid(7)] };
        let look_up = Get { table: &JOBS, owner: Some(uuid::Uuid::from_u128(1)), key };
        let statement = get(Dialect::Postgres, &look_up);
        let expected = r#"SELECT "id", "user_id", "status"::text, "due", "count" FROM "jobs" WHERE "id" = $1 AND "user_id" = $2"#;
        assert_eq!(statement.text, expected);
        assert_eq!(values(&statement), [uuid(7), uuid(1)]);
        assert_eq!(get_locked(&look_up, Lock::Share).text, format!("{expected} FOR SHARE"));
        assert_eq!(get_locked(&look_up, Lock::Update).text, format!("{expected} FOR NO KEY UPDATE"));
        let expected = r#"SELECT "id", "user_id", "status", "due", "count" FROM "jobs" WHERE "id" = ?1 AND "user_id" = ?2"#;
        assert_eq!(get(Dialect::Sqlite, &look_up).text, expected);
    }

    #[test]
    fn filters_nest() {
        let filter = compare(4, Op::Ge, Value::Int(1))
            .and(Filter::IsNull(3).or(compare(3, Op::Lt, Value::Int(2))))
            .and(Filter::IsNotNull(3));
        let statement = filtered(Dialect::Postgres, Filter::always().and(filter));
        assert_eq!(statement.text, r#"("count" >= $1 AND ("due" IS NULL OR FALSE) AND "due" IS NOT NULL)"#);
        assert_eq!(filtered(Dialect::Sqlite, Filter::always()).text, "TRUE");
        assert_eq!(filtered(Dialect::Sqlite, Filter::Any(vec![])).text, "FALSE");
        let either = Filter::Any(vec![Filter::IsNull(3), Filter::IsNull(4)]).and(Filter::IsNull(0));
        let expected = r#"(("due" IS NULL OR "count" IS NULL) AND "id" IS NULL)"#;
        assert_eq!(filtered(Dialect::Sqlite, either).text, expected);
    }

    #[test]
    fn enumerations_are_equal_natively_and_sort_as_text() {
        let equal = compare(2, Op::Eq, text("ON"));
        assert_eq!(filtered(Dialect::Postgres, equal.clone()).text, r#""status" = 'ON'::"job_status""#);
        assert_eq!(filtered(Dialect::Sqlite, equal).text, r#""status" = 'ON'"#);
        let less = compare(2, Op::Lt, text("anything"));
        assert_eq!(filtered(Dialect::Postgres, less).text, r#""status"::text COLLATE "C" < $1"#);
        // PostgreSQL would refuse the cast.
        assert_eq!(filtered(Dialect::Postgres, compare(2, Op::Eq, text("on"))).text, "FALSE");
        assert_eq!(
            filtered(Dialect::Postgres, compare(2, Op::Ne, text("on"))).text,
            r#""status" IS NOT NULL"#
        );
    }

    #[test]
    fn what_cannot_be_compared_is_never_met() {
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            assert_eq!(filtered(dialect, compare(4, Op::Ne, Value::Null)).text, "FALSE");
            assert_eq!(filtered(dialect, compare(4, Op::Eq, text("1"))).text, "FALSE");
            assert_eq!(odd(dialect, compare(5, Op::Lt, Value::Float(f64::NAN))), "FALSE");
            assert_eq!(odd(dialect, compare(3, Op::Lt, Value::Json(1.into()))), "FALSE");
            assert_eq!(odd(dialect, compare(0, Op::Eq, text("a\0"))), "FALSE");
            assert_eq!(odd(dialect, compare(0, Op::Ne, text("a\0"))), r#""a" IS NOT NULL"#);
        }
    }

    #[test]
    fn lists() {
        let list = |column, values| Filter::In { column, values };
        let ids = || list(0, (0..40_000).map(uuid).chain([Value::Null, text("x")]).collect());
        let statement = filtered(Dialect::Postgres, ids());
        assert_eq!(statement.text, r#""id" = ANY($1)"#);
        assert!(matches!(&statement.binds[..], [Bind::Many { values, .. }] if values.len() == 40_000));
        let statement = filtered(Dialect::Sqlite, ids());
        assert_eq!(statement.text, r#""id" IN (SELECT unhex(value) FROM json_each(?1))"#);
        let [Value::Text(json)] = &values(&statement)[..] else { panic!() };
        assert!(
            json.starts_with(r#"["00000000000000000000000000000000","00000000000000000000000000000001","#)
        );
        let statement = filtered(Dialect::Sqlite, list(4, vec![Value::Int(1), Value::Int(2)]));
        assert_eq!(statement.text, r#""count" IN (?1, ?2)"#);
        let statement = filtered(Dialect::Sqlite, list(4, (0..9).map(Value::Int).collect()));
        assert_eq!(statement.text, r#""count" IN (SELECT value FROM json_each(?1))"#);
        assert_eq!(values(&statement), [text("[0,1,2,3,4,5,6,7,8]")]);
        let statement = filtered(Dialect::Postgres, list(2, vec![text("ON"), text("nonsense"), text("ON")]));
        assert_eq!(statement.text, r#""status" IN ('ON'::"job_status")"#);
        assert_eq!(filtered(Dialect::Postgres, list(2, vec![text("nonsense")])).text, "FALSE");
    }

    #[test]
    fn searching_takes_every_character_as_it_is() {
        let contains = || Filter::Contains { column: 5, text: r"50%_\".to_owned() };
        let statement = filtered(Dialect::Postgres, contains());
        assert_eq!(statement.text, r#""name_search" LIKE $1 ESCAPE '\'"#);
        assert_eq!(values(&statement), [text(r"%50\%\_\\%")]);
        let statement = filtered(Dialect::Sqlite, contains());
        assert_eq!(statement.text, r#"instr("name_search", ?1) > 0"#);
        assert_eq!(values(&statement), [text(r"50%_\")]);
    }

    #[test]
    fn pages() {
        let order = vec![by(3, SortDirection::Desc), by(2, SortDirection::Asc), by(0, SortDirection::Asc)];
        let page = Select { offset: 20, limit: Some(11), ..all(order) };
        let expected = r#" WHERE TRUE ORDER BY "due" DESC NULLS LAST, "status"::text COLLATE "C" ASC, "id" ASC LIMIT 11 OFFSET $1"#;
        assert!(select(Dialect::Postgres, &page).text.ends_with(expected));
        let rest = Select { offset: 5, ..all(vec![]) };
        assert!(select(Dialect::Sqlite, &rest).text.ends_with(" WHERE TRUE LIMIT -1 OFFSET ?1"));
        assert!(select(Dialect::Postgres, &rest).text.ends_with(" WHERE TRUE OFFSET $1"));
    }

    #[test]
    fn positions_in_an_order_that_an_index_has() {
        let order = vec![by(4, SortDirection::Desc), by(0, SortDirection::Desc)];
        let page = Select { after: Some(vec![Value::Int(4), uuid(1)]), ..all(order) };
        let expected = r#" WHERE TRUE AND ("count", "id") < ($1, $2) ORDER BY "count" DESC, "id" DESC"#;
        assert!(select(Dialect::Postgres, &page).text.ends_with(expected));
    }

    #[test]
    fn positions_among_nulls() {
        let order = || vec![by(3, SortDirection::Desc), by(0, SortDirection::Asc)];
        let after = |position| {
            let statement = select(Dialect::Sqlite, &Select { after: Some(position), ..all(order()) });
            let text = statement.text.split_once(" WHERE TRUE AND ").unwrap().1.to_owned();
            text.split_once(" ORDER BY ").unwrap().0.to_owned()
        };
        let time = Value::Time(chrono::DateTime::UNIX_EPOCH);
        let expected =
            r#"("due" < ?1 OR "due" IS NULL OR ("due" = ?2 AND ("id" > ?3 OR ("id" = ?4 AND FALSE))))"#;
        assert_eq!(after(vec![time, uuid(1)]), expected);
        let expected = r#"(("due" IS NULL AND ("id" > ?1 OR ("id" = ?2 AND FALSE))))"#;
        assert_eq!(after(vec![Value::Null, uuid(1)]), expected);
    }
}
