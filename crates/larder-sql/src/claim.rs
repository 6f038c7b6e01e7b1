//! Claiming: rows that no concurrent claim gets.

use larder_core::{Claim, ColumnType, Filter, Key, Op, Update, Value};

use crate::{Bind, Dialect, Returns, Statement, dialect::quote, write::NUMBER, writer::Writer};

// Names that no column can have, because columns are snake_case.
const TURN: &str = "\"#turn\"";
const WHO: &str = "\"#who\"";
const PLACE: &str = "\"#place\"";
const CLAIM: &str = "\"#claim\"";

/// What the rows are called that say which places belong to which claim, and what it sets.
const SHARES: &str = "shares";

/// How many due rows are looked at first for each that is claimed, and at least: so many that rows which other claims hold at
/// the moment can be passed over.
const WINDOW_PER_ROW: u64 = 2;
const WINDOW_AT_LEAST: u64 = 32;

/// The most rows that are chosen for several claims together: each has a place in an array.
const MOST_DEALT: u32 = 4096;

fn key_name(index: usize) -> String {
    format!("#key{index}")
}

fn order_name(index: usize) -> String {
    format!("#order{index}")
}

/// The column whose values take turns, where that matters: the first turn of all is the first row, so one row needs none.
pub(crate) fn fair_by(claim: &Claim, limit: u32) -> Option<usize> {
    claim.fair_by.filter(|_| limit > 1)
}

/// A limit as the text of the claim shows it: where rows take turns, a little more of them, a power of two, so that there are
/// few different statements.
pub(crate) fn shown_limit(claim: &Claim, limit: u32) -> u64 {
    match fair_by(claim, limit) {
        Some(_) => u64::from(limit).next_power_of_two(),
        None => limit.into(),
    }
}

fn takes_turns_by(claim: &Claim) -> Option<usize> {
    fair_by(claim, claim.limit)
}

/// The statement of a [`Claim`] on PostgreSQL: the rows as they are afterwards, in the order in which they were chosen.
///
/// The choice is a materialized CTE: in a subquery, a plan may evaluate it more than once and claim more than the limit.
pub fn claim(claim: &Claim) -> Statement {
    write_claim(Writer::new(Dialect::Postgres, claim.table), claim)
}

pub(crate) fn write_claim(mut writer: Writer, claim: &Claim) -> Statement {
    writer.push("WITH ");
    chosen(&mut writer, claim);
    change(&mut writer, claim, "chosen", "");
    writer.push("SELECT ");
    writer.separated(0..claim.table.visible, ", ", Writer::name);
    writer.push(" FROM \"changed\" ORDER BY ");
    order_of_choice(&mut writer, claim);
    writer.finish(Returns::Visible(claim.table))
}

/// What claims of several callers choose together: as many rows as all of them may have. `None` when they do not ask for the
/// same (see [`join_filters`]), or for more than [`MOST_DEALT`].
pub(crate) fn joined(claims: &[&Claim]) -> Option<Claim> {
    let (first, rest) = claims.split_first()?;
    let mut all = (*first).clone();
    for claim in rest {
        all.filter = join_filters(&all.filter, &claim.filter)?;
    }
    all.limit = claims.iter().map(|claim| claim.limit).fold(0, u32::saturating_add);
    // One row each is what they would get one after the other.
    all.fair_by = claims.iter().find_map(|claim| takes_turns_by(claim));
    (all.limit <= MOST_DEALT).then_some(all)
}

/// Claims of several callers as one statement on PostgreSQL: rows are chosen for all of them together, as [`joined`] says, and
/// dealt out in their order, the first to the first claim until it has as many as it may. Answers [`Returns::Numbered`].
pub(crate) fn write_claims(mut writer: Writer, all: &Claim, claims: &[&Claim]) -> Statement {
    writer.push("WITH ");
    chosen(&mut writer, all);
    dealt(&mut writer, all);
    writer.bind_as_columns_of(SHARES);
    let first_column = writer.binds().len();
    change(&mut writer, all, "dealt", SHARES);
    writer.push("SELECT ");
    writer.separated(0..all.table.visible, ", ", Writer::name);
    writer.push_formatted(format_args!(", {CLAIM} FROM \"changed\" ORDER BY {PLACE}"));
    let mut statement = writer.finish(Returns::Numbered(all.table));
    share_columns(&mut statement.binds, first_column, claims);
    statement
}

/// Which place each chosen row has, from 1.
fn dealt(writer: &mut Writer, claim: &Claim) {
    writer.push("\"dealt\" AS (SELECT *, row_number() OVER (ORDER BY ");
    order_of_choice(writer, claim);
    writer.push_formatted(format_args!(") AS {PLACE} FROM \"chosen\"), "));
}

/// Gives the shares their rows, one for each place: what its claim sets, the place, and the claim's number.
fn share_columns(binds: &mut [Bind], first_column: usize, claims: &[&Claim]) {
    let mut rows: Vec<Vec<Value>> = Vec::with_capacity(claims.len());
    for (claim, number) in claims.iter().zip(0_i64..) {
        let mut writer = Writer::of_binds(Dialect::Postgres, claim.table);
        writer.assignments(&claim.set);
        let set = writer.binds().iter().filter_map(|bind| match bind {
            Bind::One { value, .. } => Some(value.clone()),
            Bind::Pattern { .. } | Bind::Many { .. } => None,
        });
        let set: Vec<Value> = set.collect();
        for _ in 0..claim.limit {
            let place = rows.len() as i64 + 1;
            rows.push(set.iter().cloned().chain([Value::Int(place), Value::Int(number)]).collect());
        }
    }
    for (position, bind) in binds[first_column..].iter_mut().enumerate() {
        let Bind::One { kind, .. } = *bind else { continue };
        let column = rows.iter().map(|row| row.get(position).cloned().unwrap_or(Value::Null));
        *bind = Bind::Many { kind, values: column.collect() };
    }
}

/// The condition that meets both claims' filters, if they differ in nothing but how late a time or how great a number may
/// be: the earlier, or the less, is met by whatever both would choose.
pub(crate) fn join_filters(one: &Filter, other: &Filter) -> Option<Filter> {
    let join_all = |ones: &[Filter], others: &[Filter]| {
        let same_length = ones.len() == others.len();
        let joined = || ones.iter().zip(others).map(|(one, other)| join_filters(one, other)).collect();
        same_length.then(joined).flatten()
    };
    match (one, other) {
        (Filter::All(ones), Filter::All(others)) => join_all(ones, others).map(Filter::All),
        (Filter::Any(ones), Filter::Any(others)) => join_all(ones, others).map(Filter::Any),
        (
            Filter::Compare { column, op: op @ (Op::Lt | Op::Le), value },
            Filter::Compare { column: other_column, op: other_op, value: other_value },
        ) if column == other_column && op == other_op => {
            let order = value.compare(other_value)?;
            let lesser = if order.is_le() { value } else { other_value };
            Some(Filter::Compare { column: *column, op: *op, value: lesser.clone() })
        }
        _ => (one == other).then(|| one.clone()),
    }
}

/// `"chosen" AS …`: the keys of the rows to be claimed, and what they are ordered by, locked.
fn chosen(writer: &mut Writer, claim: &Claim) {
    if takes_turns_by(claim).is_none() {
        choice(writer, claim, "chosen", Choice::Order);
        return writer.push(", ");
    }
    turns(writer, claim);
    writer.push(", ");
    choice(writer, claim, "in turn", Choice::Turns);
    writer.push(", ");
    // Others may hold all rows that have their turn. What is behind them is due too.
    choice(writer, claim, "else", Choice::OrderIfNoTurns);
    writer.push(
        ", \"chosen\" AS MATERIALIZED (SELECT * FROM \"in turn\" UNION ALL SELECT * FROM \"else\" ORDER BY ",
    );
    order_of_choice(writer, claim);
    limit(writer, claim);
    writer.push("), ");
}

/// Which rows are chosen.
#[derive(Clone, Copy, PartialEq)]
enum Choice {
    Order,
    Turns,
    OrderIfNoTurns,
}

fn order_of_choice(writer: &mut Writer, claim: &Claim) {
    if takes_turns_by(claim).is_some() {
        writer.push(TURN);
        writer.push(", ");
    }
    named_order(writer, claim);
}

/// `"turns" AS …`: whose turn it is, the place of each row among those with the same value of `fair_by`. A window function
/// cannot lock rows, so the filter is evaluated again on the rows when they are locked.
///
/// Looking at all that is due would cost more the more there is. The first due rows are enough when they belong to as many
/// as are claimed, because the first turn of whoever comes later is later; only otherwise all are ranked.
fn turns(writer: &mut Writer, claim: &Claim) {
    let limit = shown_limit(claim, claim.limit);
    let some = limit * WINDOW_PER_ROW + WINDOW_AT_LEAST;
    writer.push("\"window\" AS MATERIALIZED (SELECT ");
    due(writer, claim);
    writer.order(&claim.order);
    writer.push_formatted(format_args!(
        " LIMIT {some}), \"enough\" AS MATERIALIZED (SELECT count(DISTINCT {WHO}) >= {limit} OR count(*) < {some} AS \"yes\" FROM \"window\"), "
    ));
    writer.push_formatted(format_args!(
        "\"turns\" AS MATERIALIZED (SELECT *, row_number() OVER (PARTITION BY {WHO}"
    ));
    writer.push(" ORDER BY ");
    named_order(writer, claim);
    writer.push_formatted(format_args!(
        ") AS {TURN} FROM (SELECT * FROM \"window\" WHERE (SELECT \"yes\" FROM \"enough\") UNION ALL SELECT "
    ));
    due(writer, claim);
    writer.push_formatted(format_args!(
        " AND NOT (SELECT \"yes\" FROM \"enough\")) AS \"due\" ORDER BY {TURN}, "
    ));
    named_order(writer, claim);
    // So that the planner knows that there are few, whatever it thinks of the rows that are not looked at.
    writer.push_formatted(format_args!(" LIMIT {some})"));
}

/// The keys of the rows that may be claimed, whose they are, and what they are ordered by.
fn due(writer: &mut Writer, claim: &Claim) {
    keys(writer);
    writer.push(", ");
    writer.separated(takes_turns_by(claim), ", ", Writer::column);
    writer.push_formatted(format_args!(" AS {WHO}"));
    order_columns(writer, claim);
    writer.push(" FROM ");
    writer.table_name();
    writer.conditions(None, None, &claim.filter);
}

fn keys(writer: &mut Writer) {
    writer.separated(writer.table.primary_key.iter().enumerate(), ", ", |writer, (index, &column)| {
        writer.column(column);
        writer.push(" AS ");
        writer.push(&quote(&key_name(index)));
    });
}

fn order_columns(writer: &mut Writer, claim: &Claim) {
    for (index, by) in claim.order.iter().enumerate() {
        writer.push(", ");
        writer.sort_form(by.column);
        writer.push(" AS ");
        writer.push(&quote(&order_name(index)));
    }
}

/// The order of the claim, by the names that its columns have in the CTEs.
fn named_order(writer: &mut Writer, claim: &Claim) {
    writer.separated(claim.order.iter().enumerate(), ", ", |writer, (index, by)| {
        writer.push(&quote(&order_name(index)));
        writer.direction(*by);
    });
}

fn choice(writer: &mut Writer, claim: &Claim, name: &str, choice: Choice) {
    writer.qualify(claim.table.name);
    writer.push_formatted(format_args!("{} AS MATERIALIZED (SELECT ", quote(name)));
    keys(writer);
    match choice {
        Choice::Order => {}
        Choice::Turns => writer.push_formatted(format_args!(", \"turns\".{TURN}")),
        Choice::OrderIfNoTurns => writer.push_formatted(format_args!(", 1::bigint AS {TURN}")),
    }
    order_columns(writer, claim);
    writer.push(" FROM ");
    writer.table_name();
    if choice == Choice::Turns {
        writer.push(" JOIN \"turns\" ON ");
        writer.same_key("turns", key_name);
    }
    writer.conditions(None, None, &claim.filter);
    if choice == Choice::OrderIfNoTurns {
        writer.push(" AND NOT EXISTS (SELECT FROM \"in turn\")");
    }
    writer.push(" ORDER BY ");
    if choice == Choice::Turns {
        writer.push_formatted(format_args!("{TURN}, "));
    }
    table_order(writer, claim);
    if choice == Choice::OrderIfNoTurns {
        // Part of the text, so that the planner knows how little is wanted of the whole table.
        writer.push_formatted(format_args!(" LIMIT {}", shown_limit(claim, claim.limit)));
    } else {
        limit(writer, claim);
    }
    // Not FOR UPDATE, which a child that is being inserted would make it pass over.
    writer.push(" FOR NO KEY UPDATE OF ");
    writer.table_name();
    writer.push(" SKIP LOCKED)");
}

/// The order of the claim, by the table's columns.
fn table_order(writer: &mut Writer, claim: &Claim) {
    writer.separated(&claim.order, ", ", |writer, by| {
        writer.sort_form(by.column);
        writer.direction(*by);
    });
}

/// `"changed" AS …`: changes the rows that were `chosen`, dealt out among the rows called `shares` if there are such.
fn change(writer: &mut Writer, claim: &Claim, chosen: &str, shares: &'static str) {
    let chosen = quote(chosen);
    writer.push("\"changed\" AS (UPDATE ");
    writer.table_name();
    writer.push(" SET ");
    writer.assignments(&claim.set);
    writer.push_formatted(format_args!(" FROM {chosen}"));
    writer.rows_here(", ");
    writer.push(" WHERE ");
    writer.same_key(chosen.trim_matches('"'), key_name);
    let is_shared = !shares.is_empty();
    if is_shared {
        writer.push_formatted(format_args!(" AND {chosen}.{PLACE} = "));
        writer.bind(ColumnType::Int, NUMBER);
    }
    writer.push(" RETURNING ");
    writer.separated(0..claim.table.visible, ", ", |writer, column| {
        writer.read_form(column);
        writer.push(" AS ");
        writer.name(column);
    });
    if is_shared {
        writer.push_formatted(format_args!(", {chosen}.{PLACE}, "));
        writer.bind(ColumnType::Int, NUMBER);
        writer.push_formatted(format_args!(" AS {CLAIM}"));
    }
    if takes_turns_by(claim).is_some() {
        writer.push_formatted(format_args!(", {chosen}.{TURN}"));
    }
    for index in 0..claim.order.len() {
        writer.push_formatted(format_args!(", {chosen}.{}", quote(&order_name(index))));
    }
    writer.push(") ");
}

/// The first half of a [`Claim`] on SQLite, in one write transaction with the second: the primary keys of the rows to be
/// claimed, in their order. The second half is the [`claim_update`] of each.
pub fn claim_keys(claim: &Claim) -> Statement {
    write_claim_keys(Writer::new(Dialect::Sqlite, claim.table), claim)
}

pub(crate) fn write_claim_keys(mut writer: Writer, claim: &Claim) -> Statement {
    let table = claim.table;
    write_keys(&mut writer, claim);
    let kinds = table.primary_key.iter().map(|&column| table.columns[column].kind).collect();
    writer.finish(Returns::Types(kinds))
}

fn write_keys(writer: &mut Writer, claim: &Claim) {
    let table = claim.table;
    if takes_turns_by(claim).is_some() {
        writer.push("WITH ");
        turns(writer, claim);
        writer.push(" SELECT ");
        writer.separated(0..table.primary_key.len(), ", ", |writer, index| {
            writer.push(&quote(&key_name(index)));
        });
        writer.push(" FROM \"turns\" ORDER BY ");
        order_of_choice(writer, claim);
    } else {
        writer.push("SELECT ");
        writer.separated(table.primary_key, ", ", |writer, &column| writer.column(column));
        writer.push(" FROM ");
        writer.table_name();
        writer.conditions(None, None, &claim.filter);
        writer.push(" ORDER BY ");
        table_order(writer, claim);
    }
    limit(writer, claim);
}

/// How many rows at most. Of the few that have their turn it is a bind; where the planner has to know how little is wanted of
/// the whole table, it is part of the text.
fn limit(writer: &mut Writer, claim: &Claim) {
    writer.push(" LIMIT ");
    if takes_turns_by(claim).is_some() {
        writer.bind(ColumnType::Int, Value::Int(claim.limit.into()));
    } else {
        writer.number(u64::from(claim.limit));
    }
}

/// Both halves of a [`Claim`] on SQLite as one statement: the rows as they are afterwards, in no defined order. A sum that
/// overflows is refused by the column's type.
pub fn claim_at_once(claim: &Claim) -> Statement {
    let table = claim.table;
    let mut writer = Writer::new(Dialect::Sqlite, table);
    writer.push("UPDATE ");
    writer.table_name();
    writer.push(" SET ");
    writer.assignments(&claim.set);
    writer.push(" WHERE (");
    writer.separated(table.primary_key, ", ", |writer, &column| writer.name(column));
    writer.push(") IN (");
    write_keys(&mut writer, claim);
    writer.push(") RETURNING ");
    writer.separated(0..table.visible, ", ", Writer::read_form);
    writer.finish(Returns::Visible(table))
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
    use larder_core::{Assign, Order, SortDirection};

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
        let turns = [
            r##"WITH "window" AS MATERIALIZED (SELECT "id" AS "#key0", "user_id" AS "#who", "due" AS "#order0", "id" AS "#order1" FROM "jobs" WHERE "due" IS NOT NULL ORDER BY "due" ASC NULLS LAST, "id" ASC LIMIT 48), "##,
            r##""enough" AS MATERIALIZED (SELECT count(DISTINCT "#who") >= 8 OR count(*) < 48 AS "yes" FROM "window"), "##,
            r##""turns" AS MATERIALIZED (SELECT *, row_number() OVER (PARTITION BY "#who" ORDER BY "#order0" ASC NULLS LAST, "#order1" ASC) AS "#turn" FROM (SELECT * FROM "window" WHERE (SELECT "yes" FROM "enough") "##,
            r##"UNION ALL SELECT "id" AS "#key0", "user_id" AS "#who", "due" AS "#order0", "id" AS "#order1" FROM "jobs" WHERE "due" IS NOT NULL AND NOT (SELECT "yes" FROM "enough")) AS "due" ORDER BY "#turn", "#order0" ASC NULLS LAST, "#order1" ASC LIMIT 48)"##,
        ];
        let turns = turns.concat();
        let chosen = [
            r##", "in turn" AS MATERIALIZED (SELECT "jobs"."id" AS "#key0", "turns"."#turn", "jobs"."due" AS "#order0", "jobs"."id" AS "#order1" FROM "jobs" JOIN "turns" ON "jobs"."id" = "turns"."#key0" WHERE "jobs"."due" IS NOT NULL ORDER BY "#turn", "jobs"."due" ASC NULLS LAST, "jobs"."id" ASC LIMIT $1 FOR NO KEY UPDATE OF "jobs" SKIP LOCKED), "##,
            r##""else" AS MATERIALIZED (SELECT "jobs"."id" AS "#key0", 1::bigint AS "#turn", "jobs"."due" AS "#order0", "jobs"."id" AS "#order1" FROM "jobs" WHERE "jobs"."due" IS NOT NULL AND NOT EXISTS (SELECT FROM "in turn") ORDER BY "jobs"."due" ASC NULLS LAST, "jobs"."id" ASC LIMIT 8 FOR NO KEY UPDATE OF "jobs" SKIP LOCKED), "##,
            r##""chosen" AS MATERIALIZED (SELECT * FROM "in turn" UNION ALL SELECT * FROM "else" ORDER BY "#turn", "#order0" ASC NULLS LAST, "#order1" ASC LIMIT $2), "##,
        ].concat();
        let text = claim(&due(Some(1))).text;
        assert!(text.starts_with(&format!("{turns}{chosen}")), "{text}");
        let order = r##" FROM "changed" ORDER BY "#turn", "#order0" ASC NULLS LAST, "#order1" ASC"##;
        assert!(text.ends_with(order), "{text}");
        let on_sqlite = r##" SELECT "#key0" FROM "turns" ORDER BY "#turn", "#order0" ASC NULLS LAST, "#order1" ASC LIMIT ?1"##;
        assert_eq!(claim_keys(&due(Some(1))).text, format!("{turns}{on_sqlite}"));
    }

    #[test]
    fn at_once_on_sqlite() {
        for claim in [due(None), due(Some(1))] {
            let mut keys = claim_keys(&claim).text;
            // The values of what is set come first.
            keys = keys.replace("?1", "?3");
            let expected = format!(
                r#"UPDATE "jobs" SET "status" = ?1, "count" = "count" + ?2 WHERE ("id") IN ({keys}) RETURNING "id", "user_id", "status", "due", "count""#
            );
            assert_eq!(claim_at_once(&claim).text, expected);
        }
    }

    #[test]
    fn shared_by_several() {
        let by_time = |seconds| {
            let value = Value::Time(chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(seconds));
            Filter::IsNotNull(3).and(Filter::Compare { column: 3, op: Op::Le, value })
        };
        let one = Claim { filter: by_time(7), limit: 2, ..due(None) };
        let other = Claim {
            filter: by_time(5),
            limit: 1,
            set: vec![(2, Assign::Set(text("it's off"))), (4, Assign::Add(2))],
            ..due(None)
        };
        let all = joined(&[&one, &other]).expect("claims of the same");
        let statement = write_claims(Writer::new(Dialect::Postgres, &JOBS), &all, &[&one, &other]);
        let dealt = r##""dealt" AS (SELECT *, row_number() OVER (ORDER BY "#order0" ASC NULLS LAST, "#order1" ASC) AS "#place" FROM "chosen"), "changed" AS (UPDATE "jobs" SET "status" = "shares"."2"::"job_status", "count" = "jobs"."count" + "shares"."3" FROM "dealt", unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) AS "shares" ("2", "3", "4", "5") WHERE "jobs"."id" = "dealt"."#key0" AND "dealt"."#place" = "shares"."4" RETURNING "##;
        assert!(statement.text.contains(dealt), "{}", statement.text);
        assert!(statement.text.contains(" LIMIT 3 "), "{}", statement.text);
        assert!(
            statement.text.ends_with(r##""#claim" FROM "changed" ORDER BY "#place""##),
            "{}",
            statement.text
        );
        let columns: Vec<Vec<Value>> = statement.binds[1..]
            .iter()
            .map(|bind| match bind {
                Bind::Many { values, .. } => values.clone(),
                Bind::One { .. } | Bind::Pattern { .. } => panic!("no array"),
            })
            .collect();
        let ints = |ints: [i64; 3]| ints.map(Value::Int).to_vec();
        let texts = vec![text("ON"), text("ON"), text("it's off")];
        assert_eq!(columns, [texts, ints([1, 1, 2]), ints([1, 2, 3]), ints([0, 0, 1])]);
        assert!(
            matches!(&statement.binds[0], Bind::One { value: Value::Time(time), .. } if time.timestamp() == 5)
        );
    }

    #[test]
    fn filters_that_want_the_same() {
        let compare = |op, value| Filter::Compare { column: 4, op, value: Value::Int(value) };
        let join = |one, other| join_filters(&one, &other);
        assert_eq!(join(compare(Op::Lt, 1), compare(Op::Lt, 2)), Some(compare(Op::Lt, 1)));
        let all = |value| Filter::All(vec![Filter::IsNull(3), Filter::IsNull(4).or(compare(Op::Le, value))]);
        assert_eq!(join(all(9), all(3)), Some(all(3)));
        for (one, other) in [
            (compare(Op::Eq, 1), compare(Op::Eq, 2)),
            (compare(Op::Lt, 1), compare(Op::Le, 1)),
            (compare(Op::Ge, 1), compare(Op::Ge, 2)),
            (Filter::IsNull(3), Filter::IsNull(4)),
            (Filter::All(vec![]), Filter::All(vec![Filter::IsNull(3)])),
        ] {
            assert_eq!(join(one, other), None);
        }
    }

    #[test]
    fn on_sqlite_each_row_is_an_update() {
        let update = claim_update(&due(None), vec![uuid(3)]);
        assert_eq!(update.key, Some(Key { columns: &[0], values: vec![uuid(3)] }));
        assert_eq!((update.set, update.returning), (due(None).set, true));
    }
}
