//! Verbs of several callers as one statement, on PostgreSQL.
//!
//! Look-ups by one column become `= ANY($1)`, inserts one UNNEST, updates and deletes by key a join with UNNEST in which each
//! bind of the single statement is a column, claims one choice that is dealt out. The rows of changes come back with the
//! number of their verb, looked-up ones are found by their key.

use std::cmp::Ordering;

use larder_core::{
    Delete, Filter, Get, Insert, Key, Order, Outcome, Row, Select, SortDirection, Table, Update, Value, Verb,
};
use uuid::Uuid;

use crate::{
    Bind, Dialect, Lock, Rendered, Statement, Statements,
    claim::{join_filters, joined, write_claims},
    shape::Shape,
    write::{delete_where, update_where},
    writer::Writer,
};

const POSTGRES: Dialect = Dialect::Postgres;

/// What the rows of a batch are called in the statement.
const ROWS: &str = "batch";

/// How a verb can travel with others.
#[derive(Debug, Clone)]
pub struct Batchable {
    /// Verbs of the same shape can be one statement.
    shape: Box<[u8]>,
    row: Option<RowKey>,
    /// Of an update or delete: what the single statement binds.
    binds: Vec<Bind>,
}

/// The row that a verb means: a table and the values of a key of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowKey {
    table: &'static str,
    columns: &'static [usize],
    values: Vec<KeyPart>,
}

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
    fn new<'a>(
        table: &'static str,
        columns: &'static [usize],
        values: impl IntoIterator<Item = &'a Value>,
    ) -> Option<Self> {
        let part = |value: &Value| match value {
            Value::Bool(value) => Some(KeyPart::Bool(*value)),
            Value::Int(value) => Some(KeyPart::Int(*value)),
            Value::Text(value) => Some(KeyPart::Text(value.clone())),
            Value::Bytes(value) => Some(KeyPart::Bytes(value.clone())),
            Value::Time(value) => Some(KeyPart::Time(value.timestamp_micros())),
            Value::Uuid(value) => Some(KeyPart::Uuid(*value)),
            Value::Null | Value::Float(_) | Value::Json(_) => None,
        };
        let values = values.into_iter().map(part).collect::<Option<_>>()?;
        Some(Self { table, columns, values })
    }

    /// Do both name their rows by the same columns, or rows of different tables?
    pub fn is_named_alike(&self, other: &Self) -> bool {
        self.table != other.table || self.columns == other.columns
    }

    /// The row that a verb looks up, changes or writes, when it is one and named by a key.
    pub fn of(verb: &Verb) -> Option<Self> {
        let table = verb.table();
        match verb {
            Verb::Insert(Insert { rows, .. }) if rows.len() == 1 => {
                let values = table.primary_key.iter().map_while(|&column| rows[0].get(column));
                Self::new(table.name, table.primary_key, values)
            }
            _ => key_of(verb).and_then(|key| Self::new(table.name, key.columns, &key.values)),
        }
    }
}

fn key_of(verb: &Verb) -> Option<&Key> {
    match verb {
        Verb::Get(get) => Some(&get.key),
        Verb::Update(update) => update.key.as_ref(),
        Verb::Delete(delete) => delete.key.as_ref(),
        _ => None,
    }
}

impl Batchable {
    /// How a verb can travel with others; `None` when it cannot.
    pub fn new(verb: &Verb) -> Option<Self> {
        match verb {
            Verb::Get(get) => {
                let [_] = get.key.columns else { return None };
                RowKey::of(verb)?;
                Some(Self { shape: Shape::of_look_up(get).into_bytes(), row: None, binds: Vec::new() })
            }
            Verb::Insert(insert) if !insert.rows.is_empty() => {
                let shape = Shape::of_insert_into(POSTGRES, insert.table).into_bytes();
                Some(Self { shape, row: None, binds: Vec::new() })
            }
            Verb::Update(update @ Update { key: Some(key), .. }) => {
                let sets_its_key = update.set.iter().any(|(column, _)| key.columns.contains(column));
                if sets_its_key {
                    return None;
                }
                let single = update_where(Writer::of_binds(POSTGRES, update.table), update, true);
                Self::of_change(verb, Shape::of_update(POSTGRES, update), single)
            }
            Verb::Delete(delete @ Delete { key: Some(_), limit: None, .. }) => {
                let single = delete_where(Writer::of_binds(POSTGRES, delete.table), delete, true);
                Self::of_change(verb, Shape::of_delete(POSTGRES, delete), single)
            }
            Verb::Claim(one) if one.limit > 0 => {
                // What differs in a time or number is joined; a limit is dealt out.
                let shape = Shape::of_claim(POSTGRES, one, 2).into_bytes();
                Some(Self { shape, row: None, binds: Vec::new() })
            }
            _ => None,
        }
    }

    fn of_change(verb: &Verb, shape: Shape, single: Statement) -> Option<Self> {
        let all_single = single.binds.iter().all(|bind| matches!(bind, Bind::One { .. }));
        let row = Some(RowKey::of(verb)?);
        all_single.then(|| Self { shape: shape.into_bytes(), row, binds: single.binds })
    }

    /// Which row it changes; `None` when it does not matter, because others may mean the same.
    pub fn row(&self) -> Option<&RowKey> {
        self.row.as_ref()
    }

    /// Can this verb be one statement with that one, if they do not change the same row?
    pub fn joins(&self, verb: &Verb, other: (&Verb, &Self)) -> bool {
        let same_filter = || match (verb, other.0) {
            (Verb::Claim(one), Verb::Claim(other)) => join_filters(&one.filter, &other.filter).is_some(),
            _ => true,
        };
        self.shape == other.1.shape && same_filter()
    }
}

impl Statements {
    /// The statement of verbs that [join](Batchable::joins) each other, no two of which change the same row. Sorted by
    /// [`Batchable::row`], two batches lock the rows that both change in the same order. `lock` keeps rows that are looked up
    /// as they are. `None` when the verbs are too large for one statement.
    pub fn batch(&self, verbs: &[(&Verb, &Batchable)], lock: Option<Lock>) -> Option<Rendered> {
        let (first, shape) = verbs.first()?;
        match first {
            Verb::Get(get) => {
                let mut look_ups = look_ups(get, verbs);
                let Some(lock) = lock else { return Some(self.select(&look_ups)) };
                let column = get.key.columns[0];
                look_ups.order.push(Order { column, direction: SortDirection::Asc });
                let rendered = self.select(&look_ups);
                Some(Rendered { text: format!("{}{}", rendered.text, lock.clause()).into(), ..rendered })
            }
            Verb::Insert(Insert { table, .. }) => {
                let rows = verbs.iter().flat_map(|(verb, _)| match verb {
                    Verb::Insert(insert) => insert.rows.as_slice(),
                    _ => &[],
                });
                let rows: Vec<_> = rows.collect();
                self.insert_at_once(table, &rows)
            }
            Verb::Update(update) => {
                let text = |writer| update_where(writer, update, update.returning);
                Some(self.joined(shape, update.table, text, verbs))
            }
            Verb::Delete(delete) => {
                let text = |writer| delete_where(writer, delete, delete.returning);
                Some(self.joined(shape, delete.table, text, verbs))
            }
            Verb::Claim(_) => {
                let claims_of = verbs.iter().filter_map(|(verb, _)| match verb {
                    Verb::Claim(claim) => Some(claim),
                    _ => None,
                });
                let claims: Vec<_> = claims_of.collect();
                let all = joined(&claims)?;
                let shape = Shape::of_claim(POSTGRES, &all, all.limit);
                Some(
                    self.render_batch(shape.bytes(), all.table, |writer| write_claims(writer, &all, &claims)),
                )
            }
            Verb::Select(_) | Verb::Count(_) | Verb::Aggregate(_) | Verb::Upsert(_) => None,
        }
    }

    /// The statement whose binds are columns of [`ROWS`], with an array for each column, the last of which numbers the rows.
    fn joined(
        &self,
        shape: &Batchable,
        table: &'static Table,
        write: impl Fn(Writer) -> Statement,
        verbs: &[(&Verb, &Batchable)],
    ) -> Rendered {
        let mut rendered = self.render_batch(&shape.shape, table, |mut writer| {
            writer.bind_as_columns_of(ROWS);
            write(writer)
        });
        let last = rendered.binds.len() - 1;
        for (position, bind) in rendered.binds.iter_mut().enumerate() {
            let Bind::One { kind, .. } = *bind else { continue };
            let value =
                |(number, (_, batchable)): (i64, &(&Verb, &Batchable))| match batchable.binds.get(position) {
                    Some(Bind::One { value, .. }) if position < last => value.clone(),
                    _ => Value::Int(number),
                };
            *bind = Bind::Many { kind, values: (0..).zip(verbs).map(value).collect() };
        }
        rendered
    }
}

fn look_ups(first: &Get, verbs: &[(&Verb, &Batchable)]) -> Select {
    let keys = verbs.iter().filter_map(|(verb, _)| key_of(verb)?.values.first().cloned());
    let filter = Filter::In { column: first.key.columns[0], values: keys.collect() };
    Select { table: first.table, owner: None, filter, order: vec![], after: None, offset: 0, limit: None }
}

/// The answers to the verbs of a batch, from the rows that its statement returned.
pub fn batch_answers(verbs: &[(&Verb, &Batchable)], rows: Vec<Row>) -> Vec<Outcome> {
    match verbs.first() {
        Some((Verb::Get(get), _)) => looked_up(get.key.columns[0], verbs, rows),
        Some((Verb::Insert(_), _)) => verbs.iter().map(|(verb, _)| inserted(verb)).collect(),
        _ => numbered(verbs, rows),
    }
}

fn inserted(verb: &Verb) -> Outcome {
    match verb {
        Verb::Insert(insert) => Outcome::Count(insert.rows.len() as u64),
        _ => Outcome::Count(0),
    }
}

/// Several may look up the same row, and not all of them may see it.
fn looked_up(column: usize, verbs: &[(&Verb, &Batchable)], mut rows: Vec<Row>) -> Vec<Outcome> {
    let compare = |row: &Row, key: &Value| {
        row.get(column).and_then(|found| found.compare(key)).unwrap_or(Ordering::Less)
    };
    rows.sort_by(|one, other| other.get(column).map_or(Ordering::Less, |key| compare(one, key)));
    let mut taken: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
    let position = |verb: &Verb, rows: &[Option<Row>]| {
        let key = key_of(verb)?.values.first()?;
        rows.binary_search_by(|row| row.as_ref().map_or(Ordering::Less, |row| compare(row, key))).ok()
    };
    let positions: Vec<Option<usize>> = verbs.iter().map(|(verb, _)| position(verb, &taken)).collect();
    let mut wanted = vec![0_usize; taken.len()];
    positions.iter().flatten().for_each(|&position| wanted[position] += 1);
    let mut answers = Vec::with_capacity(verbs.len());
    for ((verb, _), position) in verbs.iter().zip(positions) {
        let row = position.and_then(|position| {
            wanted[position] -= 1;
            // The last who wants it needs no copy.
            if wanted[position] == 0 { taken[position].take() } else { taken[position].clone() }
        });
        answers.push(Outcome::Row(row.filter(|row| belongs_to(row, verb))));
    }
    answers
}

fn belongs_to(row: &Row, verb: &Verb) -> bool {
    match verb {
        Verb::Get(Get { owner: Some(owner), table, .. }) => {
            table.owner.is_none_or(|column| row.get(column) == Some(&Value::Uuid(*owner)))
        }
        _ => true,
    }
}

/// Rows whose last value is the number of the verb that they answer.
fn numbered(verbs: &[(&Verb, &Batchable)], rows: Vec<Row>) -> Vec<Outcome> {
    let mut of_verbs: Vec<Vec<Row>> = vec![Vec::new(); verbs.len()];
    for row in rows {
        let mut values = row.into_values();
        let number = match values.pop() {
            Some(Value::Int(number)) => usize::try_from(number).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        if let Some(rows) = of_verbs.get_mut(number) {
            rows.push(Row::new(values));
        }
    }
    let outcome = |((verb, _), rows): (&(&Verb, &Batchable), Vec<Row>)| match verb {
        Verb::Update(Update { returning: false, .. }) | Verb::Delete(Delete { returning: false, .. }) => {
            Outcome::Count(rows.len() as u64)
        }
        _ => Outcome::Rows(rows),
    };
    verbs.iter().zip(of_verbs).map(outcome).collect()
}
