//! Insert, update, delete and upsert.

use larder_core::{
    Assign, Column, ColumnType, Delete, Error, Filter, Insert, Key, Literal, Op, Table, Update, Upsert, Value,
};

use crate::{Dialect, Returns, Statement, writer::Writer};

/// A statement gets no more rows than hold about this many bytes; PostgreSQL refuses an array of 1 GiB.
const MAX_STATEMENT_BYTES: usize = 32 * 1024 * 1024;

/// SQLite gains nothing from more rows in one statement.
const MAX_SQLITE_ROWS: usize = 100;

/// Nor does PostgreSQL; and while it executes one statement, the next can be written.
const MAX_POSTGRES_ROWS: usize = 1000;

/// The statements of an [`Insert`], to be executed in one transaction when there are several; none for no rows. Each
/// answers the number of its rows.
pub fn insert(dialect: Dialect, insert: &Insert) -> Vec<Statement> {
    let statement =
        |rows| write_insert(Writer::new(dialect, insert.table), rows, &defaults(insert.table, rows));
    insert_chunks(dialect, insert.table, &insert.rows).map(statement).collect()
}

/// The rows of each of the statements that insert these into the table.
pub(crate) fn insert_chunks<'a, R: AsRef<[Value]>>(
    dialect: Dialect,
    table: &Table,
    rows: &'a [R],
) -> impl Iterator<Item = &'a [R]> {
    let max_rows = match dialect {
        Dialect::Postgres => MAX_POSTGRES_ROWS,
        Dialect::Sqlite => (dialect.max_binds() / table.columns.len()).clamp(1, MAX_SQLITE_ROWS),
    };
    let mut rest = rows;
    std::iter::from_fn(move || {
        let (chunk, others) = rest.split_at(chunk_length(rest, max_rows));
        rest = others;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// The statement that inserts these rows, in which these columns hold their [`defaults`].
pub(crate) fn write_insert<R: AsRef<[Value]>>(writer: Writer, rows: &[R], defaults: &[bool]) -> Statement {
    match (writer.dialect, rows) {
        (Dialect::Postgres, [_, _, ..]) => insert_arrays(writer, rows, defaults),
        _ => insert_values(writer, rows, defaults, ""),
    }
}

/// The insert of one row that writes nothing, and raises nothing, when one of its keys is taken. When it answers that no
/// row was written, [`conflict_probe`] tells which key it was.
pub fn insert_unless_conflict(dialect: Dialect, table: &'static Table, row: &[Value]) -> Statement {
    let rows = [row];
    insert_values(Writer::new(dialect, table), &rows, &defaults(table, &rows), " ON CONFLICT DO NOTHING")
}

fn insert_values<R: AsRef<[Value]>>(
    mut writer: Writer,
    rows: &[R],
    defaults: &[bool],
    rest: &str,
) -> Statement {
    insert_into(&mut writer);
    writer.push(" VALUES ");
    writer.separated(rows, ", ", |writer, row| values(writer, row.as_ref(), defaults));
    writer.push(rest);
    writer.finish(Returns::Affected)
}

fn insert_into(writer: &mut Writer) {
    writer.push("INSERT INTO ");
    writer.table_name();
    writer.push(" (");
    writer.separated(0..writer.table.columns.len(), ", ", Writer::name);
    writer.push(")");
}

/// The values of a row; what is its column's default in all rows is part of the text.
fn values(writer: &mut Writer, row: &[Value], defaults: &[bool]) {
    writer.push("(");
    writer.separated(row.iter().enumerate(), ", ", |writer, (column, value)| {
        if defaults.get(column) == Some(&true) {
            writer.default(column);
        } else {
            writer.value(column, value.clone());
        }
    });
    writer.push(")");
}

/// One array for each column: the same text for any number of rows. What is its column's default in all rows is part of the
/// text.
fn insert_arrays<R: AsRef<[Value]>>(mut writer: Writer, rows: &[R], defaults: &[bool]) -> Statement {
    let table = writer.table;
    let given = || (0..table.columns.len()).filter(|&column| !defaults[column]);
    insert_into(&mut writer);
    writer.push(" SELECT ");
    writer.qualify("new");
    writer.separated(0..table.columns.len(), ", ", |writer, column| {
        if defaults[column] {
            return writer.default(column);
        }
        writer.column(column);
        writer.cast_from_text(column);
    });
    writer.push(" FROM unnest(");
    writer.separated(given(), ", ", |writer, column| {
        let kind = table.columns[column].kind;
        writer.bind_many(kind, rows.iter().map(|row| row.as_ref()[column].clone()).collect());
        writer.array_cast(kind);
    });
    writer.push(") AS \"new\" (");
    writer.separated(given(), ", ", Writer::name);
    writer.push(")");
    writer.finish(Returns::Affected)
}

/// Which columns hold their default in all of these rows: it need not travel, and be read, for each.
pub(crate) fn defaults<R: AsRef<[Value]>>(table: &Table, rows: &[R]) -> Vec<bool> {
    let is_default = |index: usize, column: &Column| {
        !table.primary_key.contains(&index)
            && rows
                .iter()
                .all(|row| row.as_ref().get(index).is_some_and(|value| holds_default(column, value)))
    };
    table.columns.iter().enumerate().map(|(index, column)| is_default(index, column)).collect()
}

/// Does the column hold nothing but what the [text of its default](Writer::default) says? (A number that is not exact in a
/// text is not looked at, nor JSON, which has many.)
fn holds_default(column: &Column, value: &Value) -> bool {
    match (column.default, value) {
        (None, Value::Null) => column.nullable,
        (Some(Literal::Bool(default)), Value::Bool(value)) => default == *value,
        (Some(Literal::Int(default)), Value::Int(value)) => default == *value && default != i64::MIN,
        (Some(Literal::Text(default)), Value::Text(value)) => default == value,
        _ => false,
    }
}

/// How many of these rows, from the first, one statement takes; 0 when there are none.
fn chunk_length<R: AsRef<[Value]>>(rows: &[R], max_rows: usize) -> usize {
    let mut bytes = 0;
    let fits = |(index, row): &(usize, &R)| {
        // One row is always taken, whatever its size.
        if *index == 0 && rows.len() == 1 {
            return true;
        }
        bytes += row.as_ref().iter().map(Value::size).sum::<usize>();
        *index == 0 || (*index < max_rows && bytes <= MAX_STATEMENT_BYTES)
    };
    rows.iter().enumerate().take_while(fits).count()
}

/// Asks which keys of a row are taken: one row, with a `Bool` for each of `keys`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConflictProbe {
    /// The columns of the keys: the primary key, then the unique keys in the table's order; without those that hold NULL
    /// and so never conflict.
    pub keys: Vec<&'static [usize]>,
    /// The statement.
    pub statement: Statement,
}

/// The probe for a row that could not be written; see [`ConflictProbe`].
pub fn conflict_probe(dialect: Dialect, table: &'static Table, row: &[Value]) -> ConflictProbe {
    let keys: Vec<_> = table.keys().filter(|key| key.iter().all(|&column| !row[column].is_null())).collect();
    let mut writer = Writer::new(dialect, table);
    writer.push("SELECT ");
    writer.separated(&keys, ", ", |writer, key| {
        writer.push("EXISTS (SELECT 1 FROM ");
        writer.table_name();
        writer.push(" WHERE ");
        writer.separated(*key, " AND ", |writer, &column| writer.compare(column, Op::Eq, &row[column]));
        writer.push(")");
    });
    let returns = Returns::Types(vec![ColumnType::Bool; keys.len()]);
    ConflictProbe { statement: writer.finish(returns), keys }
}

/// The statement of an [`Update`]. Rows in which a sum would leave the range of `i64` are passed over: when it changed no
/// row, [`add_probe`] and [`add_overflow`] tell whether that is why.
pub fn update(dialect: Dialect, update: &Update) -> Statement {
    write_update(Writer::new(dialect, update.table), update)
}

pub(crate) fn write_update(mut writer: Writer, update: &Update) -> Statement {
    let Update { key, filter, set, .. } = update;
    if writer.dialect == Dialect::Postgres && key.is_none() {
        // Rows are locked in the order of their keys, so that two updates of the same rows do not deadlock.
        chosen(&mut writer, None, update.owner, filter, |writer| {
            key_order(writer);
            writer.push(" FOR NO KEY UPDATE");
        });
        writer.qualify(update.table.name);
        update_set(&mut writer, set);
        writer.push(" FROM \"chosen\"");
        where_chosen(&mut writer);
        return returning(writer, update.returning);
    }
    update_where(writer, update, update.returning)
}

/// An update of the rows that its conditions choose. The writer may bind columns of joined rows; then the last of them numbers
/// them, and the answer names the number.
pub(crate) fn update_where(mut writer: Writer, update: &Update, returns: bool) -> Statement {
    update_set(&mut writer, &update.set);
    writer.rows_here(" FROM ");
    writer.conditions(update.key.as_ref(), update.owner, &update.filter);
    writer.and_sums_fit(&update.set);
    returning(writer, returns)
}

fn update_set(writer: &mut Writer, set: &[(usize, Assign)]) {
    writer.push("UPDATE ");
    writer.table_name();
    writer.push(" SET ");
    writer.assignments(set);
}

fn returning(mut writer: Writer, returning: bool) -> Statement {
    let table = writer.table;
    let numbered = writer.joins_rows();
    if !returning && !numbered {
        return writer.finish(Returns::Affected);
    }
    writer.push(" RETURNING ");
    if returning {
        writer.visible();
    }
    if numbered {
        writer.push(if returning { ", " } else { "" });
        writer.bind(ColumnType::Int, NUMBER);
    }
    writer.finish(match (returning, numbered) {
        (true, true) => Returns::Numbered(table),
        (true, false) => Returns::Visible(table),
        (false, _) => Returns::Types(vec![ColumnType::Int]),
    })
}

/// Stands for the numbers of joined rows, their last column.
pub(crate) const NUMBER: Value = Value::Int(0);

/// `WITH "chosen" AS …`: the primary keys of the rows that are meant, chosen once whatever the plan.
fn chosen(
    writer: &mut Writer,
    key: Option<&Key>,
    owner: Option<uuid::Uuid>,
    filter: &Filter,
    rest: impl FnOnce(&mut Writer),
) {
    writer.push("WITH \"chosen\" AS MATERIALIZED (SELECT ");
    key_columns(writer);
    writer.push(" FROM ");
    writer.table_name();
    writer.conditions(key, owner, filter);
    rest(writer);
    writer.push(") ");
}

fn key_columns(writer: &mut Writer) {
    writer.separated(writer.table.primary_key, ", ", |writer, &column| writer.column(column));
}

fn key_order(writer: &mut Writer) {
    writer.push(" ORDER BY ");
    key_columns(writer);
}

fn where_chosen(writer: &mut Writer) {
    writer.push(" WHERE ");
    let table = writer.table;
    writer.same_key("chosen", |index| table.columns[table.primary_key[index]].name.to_owned());
}

/// What the columns that an update adds to hold at present: at most one row, of an `Int` for each, in the order of `set`.
/// `None` when it adds to nothing. To be executed when the update changed no row.
pub fn add_probe(dialect: Dialect, update: &Update) -> Option<Statement> {
    let columns: Vec<usize> = adds(update).map(|(column, _)| column).collect();
    if columns.is_empty() {
        return None;
    }
    let mut writer = Writer::new(dialect, update.table);
    writer.push("SELECT ");
    writer.separated(&columns, ", ", |writer, &column| writer.column(column));
    writer.push(" FROM ");
    writer.table_name();
    writer.conditions(update.key.as_ref(), update.owner, &update.filter);
    Some(writer.finish(Returns::Types(vec![ColumnType::Int; columns.len()])))
}

/// The error of an update whose [`add_probe`] found these values: `Invalid` with the first column whose sum overflows. `None`
/// when none does: then the row was changed in between, and the update is to be tried again.
pub fn add_overflow(update: &Update, found: &[Value]) -> Option<Error> {
    let table = update.table;
    adds(update).zip(found).find_map(|((column, delta), value)| match value {
        Value::Int(value) if value.checked_add(delta).is_none() => {
            let reason = format!("{value} plus {delta} is not a 64-bit integer");
            Some(Error::invalid(table.entity, table.columns[column].name, reason))
        }
        _ => None,
    })
}

fn adds(update: &Update) -> impl Iterator<Item = (usize, i64)> + '_ {
    update.set.iter().filter_map(|(column, assign)| match assign {
        Assign::Add(delta) => Some((*column, *delta)),
        _ => None,
    })
}

/// The statement of a [`Delete`].
pub fn delete(dialect: Dialect, delete: &Delete) -> Statement {
    write_delete(Writer::new(dialect, delete.table), delete)
}

pub(crate) fn write_delete(mut writer: Writer, delete: &Delete) -> Statement {
    let Delete { key, owner, filter, limit, .. } = delete;
    match (writer.dialect, limit) {
        (Dialect::Postgres, limit) if limit.is_some() || key.is_none() => {
            chosen(&mut writer, key.as_ref(), *owner, filter, |writer| {
                match limit {
                    // An order would make each of many small purges sort all that there is to purge.
                    Some(limit) => at_most(writer, *limit),
                    None => key_order(writer),
                }
                writer.push(" FOR UPDATE");
            });
            writer.qualify(delete.table.name);
            delete_from(&mut writer);
            writer.push(" USING \"chosen\"");
            where_chosen(&mut writer);
        }
        (Dialect::Sqlite, Some(limit)) => {
            delete_from(&mut writer);
            writer.push(" WHERE (");
            key_columns(&mut writer);
            writer.push(") IN (SELECT ");
            key_columns(&mut writer);
            writer.push(" FROM ");
            writer.table_name();
            writer.conditions(key.as_ref(), *owner, filter);
            at_most(&mut writer, *limit);
            writer.push(")");
        }
        _ => return delete_where(writer, delete, delete.returning),
    }
    returning(writer, delete.returning)
}

/// A deletion of the rows that its conditions choose; as [`update_where`].
pub(crate) fn delete_where(mut writer: Writer, delete: &Delete, returns: bool) -> Statement {
    delete_from(&mut writer);
    writer.rows_here(" USING ");
    writer.conditions(delete.key.as_ref(), delete.owner, &delete.filter);
    returning(writer, returns)
}

fn delete_from(writer: &mut Writer) {
    writer.push("DELETE FROM ");
    writer.table_name();
}

fn at_most(writer: &mut Writer, limit: u64) {
    writer.push(" LIMIT ");
    writer.number(limit.min(i64::MAX as u64));
}

/// The statement of an [`Upsert`]: the row as it is afterwards. No row at all when the one that is there belongs to somebody
/// else, or a sum would overflow; [`upsert_as_update`] helps to tell the two apart.
pub fn upsert(dialect: Dialect, upsert: &Upsert) -> Statement {
    write_upsert(Writer::new(dialect, upsert.table), upsert)
}

pub(crate) fn write_upsert(mut writer: Writer, upsert: &Upsert) -> Statement {
    let table = writer.table;
    insert_into(&mut writer);
    writer.push(" VALUES ");
    values(&mut writer, &upsert.row, &[]);
    writer.push(" ON CONFLICT (");
    writer.separated(upsert.conflict, ", ", |writer, &column| writer.name(column));
    writer.push(") DO UPDATE SET ");
    // A bare name would be ambiguous: the new row is there too, as `excluded`.
    writer.qualify(table.name);
    writer.assignments(&upsert.set);
    writer.push(" WHERE ");
    match table.owner {
        Some(owner) => {
            writer.column(owner);
            writer.push(" = excluded.");
            writer.name(owner);
        }
        None => writer.push("TRUE"),
    }
    writer.and_sums_fit(&upsert.set);
    returning(writer, true)
}

/// The update that an upsert is when the row is there: for [`add_probe`] and [`add_overflow`].
pub fn upsert_as_update(upsert: &Upsert) -> Update {
    let values = upsert.conflict.iter().map(|&column| upsert.row[column].clone()).collect();
    let owner = upsert.table.owner.and_then(|owner| match upsert.row[owner] {
        Value::Uuid(owner) => Some(owner),
        _ => None,
    });
    Update {
        table: upsert.table,
        owner,
        key: Some(Key { columns: upsert.conflict, values }),
        filter: Filter::always(),
        set: upsert.set.clone(),
        returning: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Bind,
        fixtures::{JOBS, ODDS, text, uuid, values},
    };

    fn job(number: u128) -> Vec<Value> {
        vec![uuid(number), uuid(1), text("ON"), Value::Null, Value::Int(0), text("")]
    }

    fn by_key(set: Vec<(usize, Assign)>) -> Update {
        Update {
            table: &JOBS,
            owner: Some(uuid::Uuid::from_u128(1)),
            key: Some(Key { columns: &[0], values: vec![uuid(7)] }),
            filter: Filter::IsNull(3),
            set,
            returning: false,
        }
    }

    fn removal(key: Option<Key>, limit: Option<u64>) -> Delete {
        Delete { table: &ODDS, owner: None, key, filter: Filter::IsNull(4), limit, returning: false }
    }

    const COLUMNS: &str = r#"("id", "user_id", "status", "due", "count", "name_search")"#;

    /// A row in which nothing is at its default.
    fn varied_job(number: u128) -> Vec<Value> {
        let mut row = job(number);
        row[2] = text("it's off");
        row[3] = Value::Time(chrono::DateTime::UNIX_EPOCH);
        row[4] = Value::Int(1);
        row
    }

    #[test]
    fn one_row() {
        let verb = Insert { table: &JOBS, rows: vec![varied_job(1)] };
        let [statement] = &insert(Dialect::Postgres, &verb)[..] else { panic!() };
        let expected =
            format!(r#"INSERT INTO "jobs" {COLUMNS} VALUES ($1, $2, $3::"job_status", $4, $5, $6)"#);
        assert_eq!(statement.text, expected);
        assert_eq!(values(statement), varied_job(1));
        let statement = insert_unless_conflict(Dialect::Postgres, &JOBS, &varied_job(1));
        assert_eq!(statement.text, format!("{expected} ON CONFLICT DO NOTHING"));
        assert!(insert(Dialect::Sqlite, &Insert { table: &JOBS, rows: vec![] }).is_empty());
    }

    #[test]
    fn many_rows_on_postgres_are_arrays() {
        let mixed = |number| if number % 2 == 0 { job(number) } else { varied_job(number) };
        let verb = Insert { table: &JOBS, rows: (0..2_500).map(mixed).collect() };
        let statements = insert(Dialect::Postgres, &verb);
        let expected = format!(
            r#"INSERT INTO "jobs" {COLUMNS} SELECT "new"."id", "new"."user_id", "new"."status"::"job_status", "new"."due", "new"."count", "new"."name_search" FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bigint[], $6::text[]) AS "new" {COLUMNS}"#
        );
        assert!(statements.iter().all(|statement| statement.text == expected));
        let length = |statement: &Statement| match &statement.binds[0] {
            Bind::Many { values, .. } => values.len(),
            Bind::One { .. } | Bind::Pattern { .. } => 0,
        };
        assert_eq!(statements.iter().map(length).collect::<Vec<_>>(), [1000, 1000, 500]);
    }

    #[test]
    fn defaults_are_part_of_the_text() {
        let text_of = |dialect, rows: Vec<Vec<Value>>| {
            let statements = insert(dialect, &Insert { table: &JOBS, rows });
            let [statement] = &statements[..] else { panic!() };
            statement.text.replace(&format!(r#"INSERT INTO "jobs" {COLUMNS} "#), "")
        };
        let one = vec![job(1)];
        assert_eq!(
            text_of(Dialect::Postgres, one.clone()),
            r#"VALUES ($1, $2, 'ON'::"job_status", NULL, 0, $3)"#
        );
        assert_eq!(text_of(Dialect::Sqlite, one), "VALUES (?1, ?2, 'ON', NULL, 0, ?3)");
        let two = vec![job(1), job(2)];
        assert_eq!(
            text_of(Dialect::Postgres, two.clone()),
            r#"SELECT "new"."id", "new"."user_id", 'ON'::"job_status", NULL, 0, "new"."name_search" FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS "new" ("id", "user_id", "name_search")"#
        );
        assert_eq!(
            text_of(Dialect::Sqlite, two),
            "VALUES (?1, ?2, 'ON', NULL, 0, ?3), (?4, ?5, 'ON', NULL, 0, ?6)"
        );
        let mut one_differs = vec![job(1), job(2)];
        one_differs[1][4] = Value::Int(1);
        assert_eq!(
            text_of(Dialect::Sqlite, one_differs),
            "VALUES (?1, ?2, 'ON', NULL, ?3, ?4), (?5, ?6, 'ON', NULL, ?7, ?8)"
        );
    }

    #[test]
    fn many_rows_on_sqlite_are_chunks() {
        let verb = Insert { table: &JOBS, rows: (0..250).map(varied_job).collect() };
        let statements = insert(Dialect::Sqlite, &verb);
        let sizes: Vec<_> = statements.iter().map(|statement| statement.binds.len()).collect();
        assert_eq!(sizes, [600, 600, 300]);
        let written: Vec<_> = statements.iter().flat_map(values).collect();
        assert_eq!(written, verb.rows.concat());
    }

    #[test]
    fn large_rows_are_chunks() {
        let large = |number| {
            let mut row = varied_job(number);
            row[5] = Value::Text("x".repeat(10_000_000));
            row
        };
        let verb = Insert { table: &JOBS, rows: (0..8).map(large).collect() };
        let sizes: Vec<_> = insert(Dialect::Postgres, &verb).iter().map(|it| values(it).len() / 6).collect();
        assert_eq!(sizes, [3, 3, 2]);
    }

    #[test]
    fn changes_by_key() {
        let time = chrono::DateTime::UNIX_EPOCH;
        let set = vec![(2, Assign::Set(text("ON"))), (4, Assign::Add(5)), (3, Assign::Advance(time))];
        let statement = update(Dialect::Postgres, &by_key(set.clone()));
        let expected = r#"UPDATE "jobs" SET "status" = $1::"job_status", "count" = "count" + $2, "due" = GREATEST("due" + interval '1 microsecond', $3) WHERE "id" = $4 AND "user_id" = $5 AND "due" IS NULL AND "count" <= $6"#;
        assert_eq!(statement.text, expected);
        assert_eq!(values(&statement)[5], Value::Int(i64::MAX - 5));
        let statement = update(Dialect::Sqlite, &Update { returning: true, ..by_key(set) });
        let expected = r#"UPDATE "jobs" SET "status" = ?1, "count" = "count" + ?2, "due" = max("due" + 1, ?3) WHERE "id" = ?4 AND "user_id" = ?5 AND "due" IS NULL AND "count" <= ?6 RETURNING "id", "user_id", "status", "due", "count""#;
        assert_eq!(statement.text, expected);
        let statement = update(Dialect::Sqlite, &by_key(vec![(4, Assign::Add(i64::MIN))]));
        assert!(statement.text.ends_with(r#""count" >= ?4"#));
        assert_eq!(values(&statement)[3], Value::Int(0));
    }

    #[test]
    fn changes_of_many_rows_lock_them_in_order() {
        let verb = Update { key: None, returning: true, ..by_key(vec![(3, Assign::Set(Value::Null))]) };
        let expected = r#"WITH "chosen" AS MATERIALIZED (SELECT "id" FROM "jobs" WHERE "user_id" = $1 AND "due" IS NULL ORDER BY "id" FOR NO KEY UPDATE) UPDATE "jobs" SET "due" = $2 FROM "chosen" WHERE "jobs"."id" = "chosen"."id" RETURNING "jobs"."id", "jobs"."user_id", "jobs"."status"::text, "jobs"."due", "jobs"."count""#;
        assert_eq!(update(Dialect::Postgres, &verb).text, expected);
        let expected = r#"UPDATE "jobs" SET "due" = ?1 WHERE "user_id" = ?2 AND "due" IS NULL"#;
        assert_eq!(update(Dialect::Sqlite, &Update { returning: false, ..verb }).text, expected);
    }

    #[test]
    fn an_overflow_is_found_by_a_probe() {
        let verb = by_key(vec![(4, Assign::Add(5)), (3, Assign::Set(Value::Null))]);
        let probe = add_probe(Dialect::Sqlite, &verb).unwrap();
        let expected = r#"SELECT "count" FROM "jobs" WHERE "id" = ?1 AND "user_id" = ?2 AND "due" IS NULL"#;
        assert_eq!(probe.text, expected);
        let error = add_overflow(&verb, &[Value::Int(i64::MAX - 4)]).unwrap();
        assert!(matches!(error.kind(), larder_core::ErrorKind::Invalid { field, .. } if field == "count"));
        assert!(add_overflow(&verb, &[Value::Int(i64::MAX - 5)]).is_none());
        assert!(add_probe(Dialect::Sqlite, &by_key(vec![(3, Assign::Set(Value::Null))])).is_none());
    }

    #[test]
    fn deletions() {
        let key = || Some(Key { columns: &[0, 1], values: vec![text("a"), Value::Int(1)] });
        let expected = r#"DELETE FROM "odds" WHERE "a" = $1 AND "b" = $2 AND "blob" IS NULL"#;
        assert_eq!(delete(Dialect::Postgres, &removal(key(), None)).text, expected);
        let expected = r#"WITH "chosen" AS MATERIALIZED (SELECT "a", "b" FROM "odds" WHERE "blob" IS NULL ORDER BY "a", "b" FOR UPDATE) DELETE FROM "odds" USING "chosen" WHERE "odds"."a" = "chosen"."a" AND "odds"."b" = "chosen"."b""#;
        assert_eq!(delete(Dialect::Postgres, &removal(None, None)).text, expected);
        let limited = delete(Dialect::Postgres, &removal(None, Some(9))).text;
        assert!(limited.contains(r#"WHERE "blob" IS NULL LIMIT 9 FOR UPDATE)"#), "{limited}");
        let expected = r#"DELETE FROM "odds" WHERE ("a", "b") IN (SELECT "a", "b" FROM "odds" WHERE "blob" IS NULL LIMIT 9)"#;
        assert_eq!(delete(Dialect::Sqlite, &removal(None, Some(9))).text, expected);
        assert_eq!(
            delete(Dialect::Sqlite, &removal(None, None)).text,
            r#"DELETE FROM "odds" WHERE "blob" IS NULL"#
        );
    }

    #[test]
    fn upserts_leave_other_owners_rows_alone() {
        let set = vec![(2, Assign::Set(text("ON"))), (4, Assign::Add(1))];
        let verb = Upsert { table: &JOBS, row: job(1), conflict: &[0], set };
        let statement = upsert(Dialect::Sqlite, &verb);
        let expected = format!(
            r#"INSERT INTO "jobs" {COLUMNS} VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT ("id") DO UPDATE SET "status" = ?7, "count" = "jobs"."count" + ?8 WHERE "jobs"."user_id" = excluded."user_id" AND "jobs"."count" <= ?9 RETURNING "jobs"."id", "jobs"."user_id", "jobs"."status", "jobs"."due", "jobs"."count""#
        );
        assert_eq!(statement.text, expected);
        let as_update = upsert_as_update(&verb);
        assert_eq!(as_update.key, Some(Key { columns: &[0], values: vec![uuid(1)] }));
        assert_eq!(as_update.owner, Some(uuid::Uuid::from_u128(1)));
    }

    #[test]
    fn taken_keys_are_probed_in_their_order() {
        let probe = conflict_probe(Dialect::Postgres, &JOBS, &job(7));
        assert_eq!(probe.keys, [&[0][..], &[1, 0]]);
        let expected = r#"SELECT EXISTS (SELECT 1 FROM "jobs" WHERE "id" = $1), EXISTS (SELECT 1 FROM "jobs" WHERE "user_id" = $2 AND "id" = $3)"#;
        assert_eq!(probe.statement.text, expected);
        let no_email = conflict_probe(Dialect::Postgres, &crate::fixtures::USERS, &[uuid(1), Value::Null]);
        assert_eq!(no_email.keys, [&[0]]);
    }
}
