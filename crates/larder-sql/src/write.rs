//! Insert, update, delete and upsert.

use larder_core::{
    Assign, ColumnType, Delete, Error, Filter, Insert, Key, Op, Table, Update, Upsert, Value,
};

use crate::{Dialect, Returns, Statement, writer::Writer};

/// A statement gets no more rows than hold about this many bytes; PostgreSQL refuses an array of 1 GiB.
const MAX_STATEMENT_BYTES: usize = 32 * 1024 * 1024;

/// SQLite gains nothing from more rows in one statement.
const MAX_SQLITE_ROWS: usize = 100;

/// The statements of an [`Insert`], to be executed in one transaction when there are several; none for no rows. Each
/// answers the number of its rows.
pub fn insert(dialect: Dialect, insert: &Insert) -> Vec<Statement> {
    let table = insert.table;
    let max_rows = match dialect {
        Dialect::Postgres => usize::MAX,
        Dialect::Sqlite => (dialect.max_binds() / table.columns.len()).clamp(1, MAX_SQLITE_ROWS),
    };
    let chunks = chunks(&insert.rows, max_rows);
    let statement = |rows: &[Vec<Value>]| match (dialect, rows) {
        (Dialect::Postgres, [_, _, ..]) => insert_arrays(table, rows),
        _ => insert_values(dialect, table, rows, ""),
    };
    chunks.into_iter().map(statement).collect()
}

/// The insert of one row that writes nothing, and raises nothing, when one of its keys is taken. When it answers that no
/// row was written, [`conflict_probe`] tells which key it was.
pub fn insert_unless_conflict(dialect: Dialect, table: &'static Table, row: &[Value]) -> Statement {
    insert_values(dialect, table, &[row.to_vec()], " ON CONFLICT DO NOTHING")
}

fn insert_values(dialect: Dialect, table: &'static Table, rows: &[Vec<Value>], rest: &str) -> Statement {
    let mut writer = Writer::new(dialect, table);
    insert_into(&mut writer);
    writer.push(" VALUES ");
    writer.separated(rows, ", ", values);
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

fn values(writer: &mut Writer, row: &Vec<Value>) {
    writer.push("(");
    writer.separated(row.iter().enumerate(), ", ", |writer, (column, value)| writer.value(column, value.clone()));
    writer.push(")");
}

/// One array for each column: the same text for any number of rows.
fn insert_arrays(table: &'static Table, rows: &[Vec<Value>]) -> Statement {
    let mut writer = Writer::new(Dialect::Postgres, table);
    insert_into(&mut writer);
    writer.push(" SELECT ");
    writer.qualify("new");
    writer.separated(0..table.columns.len(), ", ", |writer, column| {
        writer.column(column);
        writer.cast_from_text(column);
    });
    writer.push(" FROM unnest(");
    writer.separated(0..table.columns.len(), ", ", |writer, column| {
        let kind = table.columns[column].kind;
        writer.bind_many(kind, rows.iter().map(|row| row[column].clone()).collect());
        writer.array_cast(kind);
    });
    writer.push(") AS \"new\" (");
    writer.separated(0..table.columns.len(), ", ", Writer::name);
    writer.push(")");
    writer.finish(Returns::Affected)
}

fn chunks(rows: &[Vec<Value>], max_rows: usize) -> Vec<&[Vec<Value>]> {
    let (mut chunks, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (index, row) in rows.iter().enumerate() {
        let size: usize = row.iter().map(size).sum();
        if index > begin && (index - begin == max_rows || bytes + size > MAX_STATEMENT_BYTES) {
            chunks.push(&rows[begin..index]);
            (begin, bytes) = (index, 0);
        }
        bytes += size;
    }
    if begin < rows.len() {
        chunks.push(&rows[begin..]);
    }
    chunks
}

/// About how many bytes a value is.
fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Json(json) => json_size(json),
        _ => 16,
    }
}

fn json_size(json: &serde_json::Value) -> usize {
    match json {
        serde_json::Value::String(text) => text.len(),
        serde_json::Value::Array(items) => items.iter().map(json_size).sum(),
        serde_json::Value::Object(entries) => {
            entries.iter().map(|(key, value)| key.len() + json_size(value)).sum()
        }
        _ => 8,
    }
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
    let keys = std::iter::once(table.primary_key).chain(table.uniques.iter().map(|unique| unique.columns));
    let keys: Vec<_> = keys.filter(|key| key.iter().all(|&column| !row[column].is_null())).collect();
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
    let mut writer = Writer::new(dialect, update.table);
    let Update { key, owner, filter, set, .. } = update;
    if dialect == Dialect::Postgres && key.is_none() {
        // Rows are locked in the order of their keys, so that two updates of the same rows do not deadlock.
        chosen(&mut writer, None, update.owner, filter, |writer| {
            key_order(writer);
            writer.push(" FOR NO KEY UPDATE");
        });
        writer.qualify(update.table.name);
        update_set(&mut writer, set);
        writer.push(" FROM \"chosen\"");
        where_chosen(&mut writer);
    } else {
        update_set(&mut writer, set);
        writer.conditions(key.as_ref(), *owner, filter);
        writer.and_sums_fit(set);
    }
    returning(writer, update.returning)
}

fn update_set(writer: &mut Writer, set: &[(usize, Assign)]) {
    writer.push("UPDATE ");
    writer.table_name();
    writer.push(" SET ");
    writer.assignments(set);
}

fn returning(mut writer: Writer, returning: bool) -> Statement {
    if !returning {
        return writer.finish(Returns::Affected);
    }
    writer.push(" RETURNING ");
    writer.visible();
    let table = writer.table;
    writer.finish(Returns::Visible(table))
}

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
    let mut writer = Writer::new(dialect, delete.table);
    let Delete { key, owner, filter, limit, .. } = delete;
    match (dialect, limit) {
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
        _ => {
            delete_from(&mut writer);
            writer.conditions(key.as_ref(), *owner, filter);
        }
    }
    returning(writer, delete.returning)
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
    let table = upsert.table;
    let mut writer = Writer::new(dialect, table);
    insert_into(&mut writer);
    writer.push(" VALUES ");
    values(&mut writer, &upsert.row);
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
