//! Verbs of several callers as one statement, on PostgreSQL.
//!
//! Look-ups by one column become `= ANY($1)`, inserts one UNNEST, updates and deletes by key a join with UNNEST in which each
//! bind of the single statement is a column. Rows go back to their verbs by the key, so no two changes in a batch may mean
//! the same row.

use std::collections::HashMap;

use larder_core::{Delete, Filter, Get, Insert, Key, Outcome, Row, Select, Table, Update, Value, Verb};
use uuid::Uuid;

use crate::{
    Bind, Dialect, Statement,
    read::select,
    write::{delete_where, insert, update_where},
    writer::Writer,
};

const POSTGRES: Dialect = Dialect::Postgres;

/// What the rows of a batch are called in the statement.
const ROWS: &str = "batch";

/// A verb that can travel with others.
#[derive(Debug, Clone)]
pub struct Batchable {
    /// Verbs of the same shape can be one statement.
    pub shape: String,
    /// Which row it changes; `None` when it does not matter, because others may mean the same.
    pub row: Option<RowKey>,
    /// Of an update or delete: what the single statement binds.
    binds: Vec<Bind>,
}

/// The values of a key, as something that can be compared and hashed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowKey(Vec<KeyPart>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum KeyPart {
    Bool(bool),
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    Time(i64),
    Uuid(Uuid),
}

impl RowKey {
    fn new<'a>(values: impl IntoIterator<Item = &'a Value>) -> Option<Self> {
        let part = |value: &Value| match value {
            Value::Bool(value) => Some(KeyPart::Bool(*value)),
            Value::Int(value) => Some(KeyPart::Int(*value)),
            Value::Text(value) => Some(KeyPart::Text(value.clone())),
            Value::Bytes(value) => Some(KeyPart::Bytes(value.clone())),
            Value::Time(value) => Some(KeyPart::Time(value.timestamp_micros())),
            Value::Uuid(value) => Some(KeyPart::Uuid(*value)),
            Value::Null | Value::Float(_) | Value::Json(_) => None,
        };
        values.into_iter().map(part).collect::<Option<_>>().map(Self)
    }

    fn of_row(row: &Row, columns: &[usize]) -> Option<Self> {
        Self::new(columns.iter().map_while(|&column| row.get(column)))
    }
}

/// How a verb can travel with others; `None` when it cannot.
pub fn batchable(verb: &Verb) -> Option<Batchable> {
    match verb {
        Verb::Get(get) => {
            let [column] = get.key.columns else { return None };
            RowKey::new(&get.key.values)?;
            let shape = format!("get {} {column}", get.table.name);
            Some(Batchable { shape, row: None, binds: Vec::new() })
        }
        Verb::Insert(Insert { table, rows }) if !rows.is_empty() => {
            Some(Batchable { shape: format!("insert {}", table.name), row: None, binds: Vec::new() })
        }
        Verb::Update(update @ Update { key: Some(key), .. }) => {
            let sets_its_key = update.set.iter().any(|(column, _)| key.columns.contains(column));
            if sets_its_key {
                return None;
            }
            change(key, update_where(Writer::new(POSTGRES, update.table), update, true))
        }
        Verb::Delete(delete @ Delete { key: Some(key), limit: None, .. }) => {
            change(key, delete_where(Writer::new(POSTGRES, delete.table), delete, true))
        }
        _ => None,
    }
}

fn change(key: &Key, single: Statement) -> Option<Batchable> {
    let all_single = single.binds.iter().all(|bind| matches!(bind, Bind::One { .. }));
    let row = RowKey::new(&key.values)?;
    all_single.then_some(Batchable { shape: single.text, row: Some(row), binds: single.binds })
}

/// The statement of verbs of one shape, no two with the same `row`. The verbs come sorted by `row`: then two batches lock the
/// rows that both change in the same order.
pub fn batch(verbs: &[(&Verb, &Batchable)]) -> Option<Statement> {
    let (first, shape) = verbs.first()?;
    match first {
        Verb::Get(get) => Some(look_ups(get, verbs.iter().map(|(verb, _)| *verb))),
        Verb::Insert(Insert { table, .. }) => inserts(table, verbs.iter().map(|(verb, _)| *verb)),
        Verb::Update(update) => {
            let mut writer = Writer::new(POSTGRES, update.table);
            writer.bind_as_columns_of(ROWS);
            Some(joined(update_where(writer, update, true), shape, verbs))
        }
        Verb::Delete(delete) => {
            let mut writer = Writer::new(POSTGRES, delete.table);
            writer.bind_as_columns_of(ROWS);
            Some(joined(delete_where(writer, delete, true), shape, verbs))
        }
        Verb::Select(_) | Verb::Count(_) | Verb::Upsert(_) | Verb::Claim(_) => None,
    }
}

fn look_ups<'a>(first: &Get, verbs: impl Iterator<Item = &'a Verb>) -> Statement {
    let column = first.key.columns[0];
    let keys = verbs.filter_map(|verb| match verb {
        Verb::Get(get) => get.key.values.first().cloned(),
        _ => None,
    });
    let filter = Filter::In { column, values: keys.collect() };
    let table = first.table;
    select(
        POSTGRES,
        &Select { table, owner: None, filter, order: vec![], after: None, offset: 0, limit: None },
    )
}

/// `None` when the rows are too large for one statement.
fn inserts<'a>(table: &'static Table, verbs: impl Iterator<Item = &'a Verb>) -> Option<Statement> {
    let rows = verbs.flat_map(|verb| match verb {
        Verb::Insert(insert) => insert.rows.as_slice(),
        _ => &[],
    });
    let mut statements = insert(POSTGRES, &Insert { table, rows: rows.cloned().collect() }).into_iter();
    statements.next().filter(|_| statements.next().is_none())
}

/// Gives the statement, whose binds are columns of [`ROWS`], these rows: an array for each column.
fn joined(statement: Statement, shape: &Batchable, verbs: &[(&Verb, &Batchable)]) -> Statement {
    let mut binds = Vec::with_capacity(shape.binds.len());
    for (position, bind) in shape.binds.iter().enumerate() {
        let Bind::One { kind, .. } = bind else { continue };
        let values = verbs.iter().filter_map(|(_, batchable)| match batchable.binds.get(position) {
            Some(Bind::One { value, .. }) => Some(value.clone()),
            _ => None,
        });
        binds.push(Bind::Many { kind: *kind, values: values.collect() });
    }
    Statement { binds, ..statement }
}

/// The answers to the verbs of a batch, from the rows that its statement returned.
pub fn batch_answers(verbs: &[(&Verb, &Batchable)], rows: Vec<Row>) -> Vec<Outcome> {
    let Some(columns) = verbs.first().and_then(|(verb, _)| key_of(verb)).map(|key| key.columns) else {
        let inserted = verbs.iter().map(|(verb, _)| match verb {
            Verb::Insert(insert) => Outcome::Count(insert.rows.len() as u64),
            _ => Outcome::Count(0),
        });
        return inserted.collect();
    };
    let by_key = |row: Row| RowKey::of_row(&row, columns).map(|key| (key, row));
    let mut found: HashMap<RowKey, Row> = rows.into_iter().filter_map(by_key).collect();
    verbs.iter().map(|(verb, _)| answer(verb, &mut found)).collect()
}

fn key_of(verb: &Verb) -> Option<&Key> {
    match verb {
        Verb::Get(get) => Some(&get.key),
        Verb::Update(update) => update.key.as_ref(),
        Verb::Delete(delete) => delete.key.as_ref(),
        _ => None,
    }
}

fn answer(verb: &Verb, found: &mut HashMap<RowKey, Row>) -> Outcome {
    let key = key_of(verb).and_then(|key| RowKey::new(&key.values));
    match verb {
        // Several may look up the same row, and not all of them may see it.
        Verb::Get(get) => {
            let row = key.and_then(|key| found.get(&key));
            Outcome::Row(row.filter(|row| belongs_to(row, get.table, get.owner)).cloned())
        }
        Verb::Update(Update { returning, .. }) | Verb::Delete(Delete { returning, .. }) => {
            let row = key.and_then(|key| found.remove(&key));
            if *returning {
                Outcome::Rows(row.into_iter().collect())
            } else {
                Outcome::Count(u64::from(row.is_some()))
            }
        }
        _ => Outcome::Count(0),
    }
}

fn belongs_to(row: &Row, table: &'static Table, owner: Option<Uuid>) -> bool {
    match (owner, table.owner) {
        (Some(owner), Some(column)) => row.get(column) == Some(&Value::Uuid(owner)),
        _ => true,
    }
}
