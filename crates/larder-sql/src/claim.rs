//! Claiming: rows that no concurrent claim gets.

use larder_core::{Claim, Filter, Key, Order, Update, Value};

use crate::{Dialect, Returns, Statement, dialect::quote, writer::Writer};

// Names that no column can have, because columns are snake_case.
const TURN: &str = "\"#turn\"";

fn key_name(index: usize) -> String {
    format!("#key{index}")
}

fn order_name(index: usize) -> String {
    format!("#order{index}")
}

/// The statement of a [`Claim`] on PostgreSQL: the rows as they are afterwards, in the order in which they were chosen.
///
/// The choice is a materialized CTE: in a subquery, a plan may evaluate it more than once and claim more than the limit.
pub fn claim(claim: &Claim) -> Statement {
    let mut writer = Writer::new(Dialect::Postgres, claim.table);
    writer.push("WITH ");
    if claim.fair_by.is_some() {
        turns(&mut writer, claim);
    }
    choice(&mut writer, claim);
    change(&mut writer, claim);
    writer.push("SELECT ");
    writer.separated(0..claim.table.visible, ", ", Writer::name);
    writer.push(" FROM \"changed\" ORDER BY ");
    if claim.fair_by.is_some() {
        writer.push(TURN);
        writer.push(", ");
    }
    writer.separated(claim.order.iter().enumerate(), ", ", |writer, (index, by)| {
        writer.push(&quote(&order_name(index)));
        writer.direction(*by);
    });
    writer.finish(Returns::Visible(claim.table))
}

/// Whose turn it is: the place of each row among those with the same value of `fair_by`. A window cannot lock rows, so the
/// filter is evaluated again on the rows when they are locked.
fn turns(writer: &mut Writer, claim: &Claim) {
    writer.push("\"turns\" AS MATERIALIZED (SELECT ");
    keys(writer);
    writer.push(", ");
    turn(writer, claim);
    writer.push(" FROM ");
    writer.table_name();
    writer.conditions(None, None, &claim.filter);
    writer.push("), ");
}

fn turn(writer: &mut Writer, claim: &Claim) {
    writer.push("row_number() OVER (PARTITION BY ");
    writer.separated(claim.fair_by, ", ", Writer::column);
    writer.order(&claim.order);
    writer.push(") AS ");
    writer.push(TURN);
}

fn keys(writer: &mut Writer) {
    writer.separated(writer.table.primary_key.iter().enumerate(), ", ", |writer, (index, &column)| {
        writer.column(column);
        writer.push(" AS ");
        writer.push(&quote(&key_name(index)));
    });
}

fn choice(writer: &mut Writer, claim: &Claim) {
    writer.qualify(claim.table.name);
    writer.push("\"chosen\" AS MATERIALIZED (SELECT ");
    keys(writer);
    if claim.fair_by.is_some() {
        writer.push(", \"turns\".");
        writer.push(TURN);
    }
    for (index, by) in claim.order.iter().enumerate() {
        writer.push(", ");
        writer.sort_form(by.column);
        writer.push(" AS ");
        writer.push(&quote(&order_name(index)));
    }
    writer.push(" FROM ");
    writer.table_name();
    if claim.fair_by.is_some() {
        writer.push(" JOIN \"turns\" ON ");
        writer.same_key("turns", key_name);
    }
    writer.conditions(None, None, &claim.filter);
    choice_order(writer, claim);
    writer.push(" LIMIT ");
    writer.number(u64::from(claim.limit));
    // Not FOR UPDATE, which a child that is being inserted would make it pass over.
    writer.push(" FOR NO KEY UPDATE OF ");
    writer.table_name();
    writer.push(" SKIP LOCKED), ");
}

fn choice_order(writer: &mut Writer, claim: &Claim) {
    let order = |writer: &mut Writer, by: &Order| {
        writer.sort_form(by.column);
        writer.direction(*by);
    };
    writer.push(" ORDER BY ");
    if claim.fair_by.is_some() {
        writer.push(TURN);
        writer.push(", ");
    }
    writer.separated(&claim.order, ", ", order);
}

fn change(writer: &mut Writer, claim: &Claim) {
    writer.push("\"changed\" AS (UPDATE ");
    writer.table_name();
    writer.push(" SET ");
    writer.assignments(&claim.set);
    writer.push(" FROM \"chosen\" WHERE ");
    writer.same_key("chosen", key_name);
    writer.push(" RETURNING ");
    writer.separated(0..claim.table.visible, ", ", |writer, column| {
        writer.read_form(column);
        writer.push(" AS ");
        writer.name(column);
    });
    if claim.fair_by.is_some() {
        writer.push(", \"chosen\".");
        writer.push(TURN);
    }
    for index in 0..claim.order.len() {
        writer.push(", \"chosen\".");
        writer.push(&quote(&order_name(index)));
    }
    writer.push(") ");
}

/// The first half of a [`Claim`] on SQLite, in one write transaction with the second: the primary keys of the rows to be
/// claimed, in their order. The second half is the [`claim_update`] of each.
pub fn claim_keys(claim: &Claim) -> Statement {
    let table = claim.table;
    let mut writer = Writer::new(Dialect::Sqlite, table);
    writer.push("SELECT ");
    writer.separated(table.primary_key, ", ", |writer, &column| writer.column(column));
    writer.push(" FROM ");
    if claim.fair_by.is_some() {
        writer.push("(SELECT *, ");
        turn(&mut writer, claim);
        writer.push(" FROM ");
        writer.table_name();
        writer.conditions(None, None, &claim.filter);
        writer.push(")");
    } else {
        writer.table_name();
        writer.conditions(None, None, &claim.filter);
    }
    choice_order(&mut writer, claim);
    writer.push(" LIMIT ");
    writer.number(u64::from(claim.limit));
    let kinds = table.primary_key.iter().map(|&column| table.columns[column].kind).collect();
    writer.finish(Returns::Types(kinds))
}

/// What a [`Claim`] does to the row with this primary key, as [`claim_keys`] found it.
pub fn claim_update(claim: &Claim, key: Vec<Value>) -> Update {
    Update {
        table: claim.table,
        owner: None,
        key: Some(Key { columns: claim.table.primary_key, values: key }),
        filter: Filter::always(),
        set: claim.set.clone(),
        returning: true,
    }
}

#[cfg(test)]
mod tests {
    use larder_core::{Assign, SortDirection};

    use super::*;
    use crate::fixtures::{JOBS, text, uuid};

    fn due(fair_by: Option<usize>) -> Claim {
        let by = |column, direction| Order { column, direction };
        Claim {
            table: &JOBS,
            filter: Filter::IsNotNull(3),
            order: vec![by(3, SortDirection::Asc), by(0, SortDirection::Asc)],
            fair_by,
            limit: 5,
            set: vec![(2, Assign::Set(text("ON"))), (4, Assign::Add(1))],
        }
    }

    #[test]
    fn in_order() {
        let expected = [
            r##"WITH "chosen" AS MATERIALIZED (SELECT "jobs"."id" AS "#key0", "jobs"."due" AS "#order0", "jobs"."id" AS "#order1" FROM "jobs" WHERE "jobs"."due" IS NOT NULL ORDER BY "jobs"."due" ASC NULLS LAST, "jobs"."id" ASC LIMIT 5 FOR NO KEY UPDATE OF "jobs" SKIP LOCKED), "##,
            r##""changed" AS (UPDATE "jobs" SET "status" = $1::"job_status", "count" = "jobs"."count" + $2 FROM "chosen" WHERE "jobs"."id" = "chosen"."#key0" RETURNING "jobs"."id" AS "id", "jobs"."user_id" AS "user_id", "jobs"."status"::text AS "status", "jobs"."due" AS "due", "jobs"."count" AS "count", "chosen"."#order0", "chosen"."#order1") "##,
            r##"SELECT "id", "user_id", "status", "due", "count" FROM "changed" ORDER BY "#order0" ASC NULLS LAST, "#order1" ASC"##,
        ];
        assert_eq!(claim(&due(None)).text, expected.concat());
        let expected = r#"SELECT "id" FROM "jobs" WHERE "due" IS NOT NULL ORDER BY "due" ASC NULLS LAST, "id" ASC LIMIT 5"#;
        assert_eq!(claim_keys(&due(None)).text, expected);
    }

    #[test]
    fn in_turns() {
        let expected = [
            r##"WITH "turns" AS MATERIALIZED (SELECT "id" AS "#key0", row_number() OVER (PARTITION BY "user_id" ORDER BY "due" ASC NULLS LAST, "id" ASC) AS "#turn" FROM "jobs" WHERE "due" IS NOT NULL), "##,
            r##""chosen" AS MATERIALIZED (SELECT "jobs"."id" AS "#key0", "turns"."#turn", "jobs"."due" AS "#order0", "jobs"."id" AS "#order1" FROM "jobs" JOIN "turns" ON "jobs"."id" = "turns"."#key0" WHERE "jobs"."due" IS NOT NULL ORDER BY "#turn", "jobs"."due" ASC NULLS LAST, "jobs"."id" ASC LIMIT 5 FOR NO KEY UPDATE OF "jobs" SKIP LOCKED), "##,
        ];
        let text = claim(&due(Some(1))).text;
        assert!(text.starts_with(&expected.concat()), "{text}");
        assert!(
            text.ends_with(r##" FROM "changed" ORDER BY "#turn", "#order0" ASC NULLS LAST, "#order1" ASC"##),
            "{text}"
        );
        let expected = r##"SELECT "id" FROM (SELECT *, row_number() OVER (PARTITION BY "user_id" ORDER BY "due" ASC NULLS LAST, "id" ASC) AS "#turn" FROM "jobs" WHERE "due" IS NOT NULL) ORDER BY "#turn", "due" ASC NULLS LAST, "id" ASC LIMIT 5"##;
        assert_eq!(claim_keys(&due(Some(1))).text, expected);
    }

    #[test]
    fn on_sqlite_each_row_is_an_update() {
        let update = claim_update(&due(None), vec![uuid(3)]);
        assert_eq!(update.key, Some(Key { columns: &[0], values: vec![uuid(3)] }));
        assert_eq!((update.set, update.returning), (due(None).set, true));
    }
}
