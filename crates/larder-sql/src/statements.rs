//! Statements that are rendered once.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use larder_core::{Aggregate, Claim, Count, Delete, Get, Insert, Select, Table, Update, Upsert, Value};

use crate::{
    Bind, Dialect, Returns, Statement,
    aggregate::write_aggregate,
    claim::{write_claim, write_claim_keys},
    read::{write_count, write_get, write_select},
    shape::Shape,
    write::{defaults, insert_chunks, write_delete, write_insert, write_update, write_upsert},
    writer::Writer,
};

/// How many bytes of texts and shapes are kept. Beyond it all are forgotten: what is in use comes back at once.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// What the shapes of batches begin with: no verb's shape does.
const BATCH: &[u8] = &[u8::MAX];

/// A [`Statement`] whose text is shared with all others of its shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The text, as [`Statement::text`].
    pub text: Arc<str>,
    /// The values, the first for placeholder 1.
    pub binds: Vec<Bind>,
    /// What it answers.
    pub returns: Returns,
}

impl From<Statement> for Rendered {
    fn from(statement: Statement) -> Self {
        let Statement { text, binds, returns } = statement;
        Self { text: text.into(), binds, returns }
    }
}

/// Renders verbs as the functions of the same names do, but writes the text of each shape of verb only once.
///
/// The shape is all that a text depends on: the table, the columns, how values are compared, how many rows an insert has, the
/// constants (a limit, a value of an enumeration), but no value that is bound. A verb whose shape was met before costs a look
/// into a table and the collection of its binds. Texts are shared between threads; it is bounded to some megabytes.
#[derive(Debug)]
pub struct Statements {
    dialect: Dialect,
    texts: RwLock<Texts>,
}

#[derive(Debug, Default)]
struct Texts {
    of_shape: HashMap<Box<[u8]>, Arc<str>>,
    bytes: usize,
}

impl Statements {
    /// None yet, for this dialect.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, texts: RwLock::default() }
    }

    /// As [`get`](crate::get).
    pub fn get(&self, get: &Get) -> Rendered {
        self.render(get.table, Shape::of_get(self.dialect, get), |writer| write_get(writer, get, ""))
    }

    /// As [`select`](crate::select).
    pub fn select(&self, select: &Select) -> Rendered {
        self.render(select.table, Shape::of_select(self.dialect, select), |writer| {
            write_select(writer, select)
        })
    }

    /// As [`count`](crate::count).
    pub fn count(&self, count: &Count) -> Rendered {
        self.render(count.table, Shape::of_count(self.dialect, count), |writer| write_count(writer, count))
    }

    /// As [`aggregate`](crate::aggregate).
    pub fn aggregate(&self, aggregate: &Aggregate) -> Rendered {
        self.render(aggregate.table, Shape::of_aggregate(self.dialect, aggregate), |writer| {
            write_aggregate(writer, aggregate)
        })
    }

    /// As [`select_by_search`](crate::select_by_search).
    pub fn select_by_search(&self, select: &Select) -> Rendered {
        let shape = Shape::of_select(Dialect::Sqlite, select).by_search(&select.filter);
        self.render(select.table, shape, |writer| write_select(writer.by_search(), select))
    }

    /// As [`count_by_search`](crate::count_by_search).
    pub fn count_by_search(&self, count: &Count) -> Rendered {
        let shape = Shape::of_count(Dialect::Sqlite, count).by_search(&count.filter);
        self.render(count.table, shape, |writer| write_count(writer.by_search(), count))
    }

    /// As [`insert`](crate::insert), each statement behind the rows that it inserts, and rendered when it is asked for.
    pub fn insert<'a>(&self, insert: &'a Insert) -> impl Iterator<Item = (&'a [Vec<Value>], Rendered)> {
        let (table, rows) = (insert.table, &insert.rows[..]);
        insert_chunks(self.dialect, table, rows).map(move |rows| (rows, self.insert_chunk(table, rows)))
    }

    /// The statement that inserts all of these rows; `None` when there are none, or it takes several.
    pub fn insert_at_once<R: AsRef<[Value]>>(&self, table: &'static Table, rows: &[R]) -> Option<Rendered> {
        let chunk = insert_chunks(self.dialect, table, rows).next()?;
        (chunk.len() == rows.len()).then(|| self.insert_chunk(table, chunk))
    }

    fn insert_chunk<R: AsRef<[Value]>>(&self, table: &'static Table, rows: &[R]) -> Rendered {
        let defaults = defaults(table, rows);
        let shape = Shape::of_insert(self.dialect, table, rows.len(), &defaults);
        self.render(table, shape, |writer| write_insert(writer, rows, &defaults))
    }

    /// As [`update`](crate::update).
    pub fn update(&self, update: &Update) -> Rendered {
        self.render(update.table, Shape::of_update(self.dialect, update), |writer| {
            write_update(writer, update)
        })
    }

    /// As [`delete`](crate::delete).
    pub fn delete(&self, delete: &Delete) -> Rendered {
        self.render(delete.table, Shape::of_delete(self.dialect, delete), |writer| {
            write_delete(writer, delete)
        })
    }

    /// As [`upsert`](crate::upsert).
    pub fn upsert(&self, upsert: &Upsert) -> Rendered {
        self.render(upsert.table, Shape::of_upsert(self.dialect, upsert), |writer| {
            write_upsert(writer, upsert)
        })
    }

    /// As [`claim`](crate::claim) on PostgreSQL, as [`claim_keys`](crate::claim_keys) on SQLite.
    pub fn claim(&self, claim: &Claim) -> Rendered {
        let shape = Shape::of_claim(self.dialect, claim, claim.limit);
        self.render(claim.table, shape, |writer| match self.dialect {
            Dialect::Postgres => write_claim(writer, claim),
            Dialect::Sqlite => write_claim_keys(writer, claim),
        })
    }

    fn render(&self, table: &'static Table, shape: Shape, write: impl Fn(Writer) -> Statement) -> Rendered {
        let Some(text) = self.known(shape.bytes()) else {
            let rendered = Rendered::from(write(Writer::new(self.dialect, table)));
            self.keep(shape.into_bytes(), &rendered.text);
            return rendered;
        };
        debug_assert_eq!(
            *text,
            *write(Writer::new(self.dialect, table)).text,
            "a shape that says too little"
        );
        let Statement { binds, returns, .. } = write(Writer::of_binds(self.dialect, table));
        Rendered { text, binds, returns }
    }

    /// A statement of a batch of verbs of this shape: `write` is given a writer, and joins the rows of the batch.
    pub(crate) fn render_batch(
        &self,
        shape: &[u8],
        table: &'static Table,
        write: impl Fn(Writer) -> Statement,
    ) -> Rendered {
        let key = [BATCH, shape].concat();
        let Some(text) = self.known(&key) else {
            let rendered = Rendered::from(write(Writer::new(self.dialect, table)));
            self.keep(key.into(), &rendered.text);
            return rendered;
        };
        let Statement { binds, returns, .. } = write(Writer::of_binds(self.dialect, table));
        Rendered { text, binds, returns }
    }

    fn known(&self, shape: &[u8]) -> Option<Arc<str>> {
        let texts = self.texts.read().unwrap_or_else(PoisonError::into_inner);
        texts.of_shape.get(shape).cloned()
    }

    fn keep(&self, shape: Box<[u8]>, text: &Arc<str>) {
        let size = shape.len() + text.len();
        let mut texts = self.texts.write().unwrap_or_else(PoisonError::into_inner);
        if texts.bytes + size > MAX_BYTES {
            *texts = Texts::default();
        }
        texts.bytes += size;
        texts.of_shape.insert(shape, Arc::clone(text));
    }
}

#[cfg(test)]
mod tests {
    use larder_core::{Assign, Filter, Key, Op, Order, SortDirection, Value};

    use super::*;
    use crate::fixtures::{JOBS, ODDS, USERS, text, uuid};

    const BOTH: [Dialect; 2] = [Dialect::Postgres, Dialect::Sqlite];

    /// Filters of which no two have the same text, each with values that differ in what the text shows of them.
    fn filters() -> Vec<Filter> {
        let compare = |column, op, value| Filter::Compare { column, op, value };
        let list = |column, values| Filter::In { column, values };
        let mut filters = vec![
            Filter::always(),
            Filter::Any(vec![]),
            Filter::IsNull(3),
            Filter::IsNotNull(3),
            Filter::All(vec![Filter::IsNull(3), Filter::IsNull(4)]),
            Filter::Any(vec![Filter::IsNull(3), Filter::IsNull(4)]),
            Filter::All(vec![Filter::Any(vec![Filter::IsNull(3)]), Filter::IsNull(4)]),
            compare(2, Op::Eq, text("ON")),
            compare(2, Op::Eq, text("it's off")),
            compare(2, Op::Eq, text("neither")),
            compare(2, Op::Lt, text("ON")),
            compare(4, Op::Eq, Value::Int(1)),
            compare(4, Op::Eq, Value::Int(2)),
            compare(4, Op::Eq, Value::Null),
            compare(4, Op::Ne, text("1")),
            compare(4, Op::Ge, Value::Int(1)),
            compare(5, Op::Ne, text("a")),
            compare(5, Op::Ne, text("a\0")),
            compare(5, Op::Lt, text("a\0")),
            Filter::Contains { column: 5, text: "a".to_owned() },
            Filter::Contains { column: 5, text: "a\0".to_owned() },
            Filter::Contains { column: 4, text: "a".to_owned() },
            list(2, vec![text("ON"), text("it's off"), text("ON")]),
            list(2, vec![text("it's off"), text("ON")]),
            list(2, vec![text("neither")]),
            list(4, vec![Value::Null, text("1")]),
        ];
        filters.extend((1..12).map(|length| list(4, (0..length).map(Value::Int).collect())));
        filters
    }

    fn selects() -> Vec<Select> {
        let by = |column, direction| Order { column, direction };
        let (asc, desc) = (SortDirection::Asc, SortDirection::Desc);
        let all = Select {
            table: &JOBS,
            owner: None,
            filter: Filter::always(),
            order: vec![],
            after: None,
            offset: 0,
            limit: None,
        };
        let after = |order: &[Order], position: &[Value]| Select {
            order: order.to_vec(),
            after: Some(position.to_vec()),
            ..all.clone()
        };
        let time = Value::Time(chrono::DateTime::UNIX_EPOCH);
        let mut selects = vec![
            Select { owner: Some(uuid::Uuid::nil()), ..all.clone() },
            Select { offset: 7, ..all.clone() },
            Select { limit: Some(7), ..all.clone() },
            Select { limit: Some(8), ..all.clone() },
            Select { limit: Some(8), offset: 1, ..all.clone() },
            Select { order: vec![by(4, asc)], ..all.clone() },
            Select { order: vec![by(4, desc)], ..all.clone() },
            Select { order: vec![by(4, desc), by(0, asc)], ..all.clone() },
            after(&[by(4, desc), by(0, desc)], &[Value::Int(1), uuid(1)]),
            after(&[by(4, asc), by(0, asc)], &[Value::Int(1), uuid(1)]),
            after(&[by(4, asc), by(0, desc)], &[Value::Int(1), uuid(1)]),
            after(&[by(3, asc), by(0, asc)], &[time, uuid(1)]),
            after(&[by(3, asc), by(0, asc)], &[Value::Null, uuid(1)]),
            after(&[by(2, asc), by(0, desc)], &[text("ON"), uuid(1)]),
            after(&[by(2, asc), by(0, desc)], &[text("it's off"), uuid(1)]),
        ];
        selects.extend(filters().into_iter().map(|filter| Select { filter, ..all.clone() }));
        selects
    }

    fn updates() -> Vec<Update> {
        let set = vec![(2, Assign::Set(text("ON"))), (3, Assign::Advance(chrono::DateTime::UNIX_EPOCH))];
        let key = |value| Some(Key { columns: &[0], values: vec![value] });
        let update =
            Update { table: &JOBS, owner: None, key: None, filter: Filter::always(), set, returning: false };
        let adds = |delta| Update { set: vec![(4, Assign::Add(delta))], key: key(uuid(1)), ..update.clone() };
        let mut updates = vec![
            Update { returning: true, ..update.clone() },
            Update { owner: Some(uuid::Uuid::nil()), ..update.clone() },
            Update { key: key(uuid(1)), ..update.clone() },
            Update { key: key(Value::Int(1)), ..update.clone() },
            Update { set: vec![(4, Assign::Set(Value::Int(1)))], ..update.clone() },
            adds(0),
            adds(5),
            adds(-5),
        ];
        updates.extend(filters().into_iter().map(|filter| Update { filter, ..update.clone() }));
        updates
    }

    /// Each verb twice, so that the second time all shapes of the others are known too.
    fn twice<T: Clone>(verbs: Vec<T>) -> impl Iterator<Item = T> {
        verbs.clone().into_iter().chain(verbs)
    }

    #[test]
    fn what_is_rendered_once_is_what_is_rendered_each_time() {
        for dialect in BOTH {
            let statements = Statements::new(dialect);
            for select in twice(selects()) {
                assert_eq!(statements.select(&select), crate::select(dialect, &select).into());
                let Select { table, owner, filter, .. } = select;
                let count = Count { table, owner, filter };
                assert_eq!(statements.count(&count), crate::count(dialect, &count).into());
                let Count { table, owner, filter } = count;
                for (group_by, sums) in
                    [(None, vec![]), (None, vec![4]), (Some(0), vec![]), (Some(2), vec![4, 4])]
                {
                    let aggregate = Aggregate { table, owner, filter: filter.clone(), group_by, sums };
                    assert_eq!(
                        statements.aggregate(&aggregate),
                        crate::aggregate(dialect, &aggregate).into()
                    );
                }
            }
            for update in twice(updates()) {
                assert_eq!(statements.update(&update), crate::update(dialect, &update).into());
                for limit in [None, Some(1), Some(2)] {
                    let Update { table, owner, key, filter, returning, .. } = update.clone();
                    let delete = Delete { table, owner, key, filter, limit, returning };
                    assert_eq!(statements.delete(&delete), crate::delete(dialect, &delete).into());
                }
                let row = vec![uuid(1), uuid(2), text("ON"), Value::Null, Value::Int(0), text("")];
                for conflict in [&[0][..], &[1, 0]] {
                    let upsert = Upsert { table: &JOBS, row: row.clone(), conflict, set: update.set.clone() };
                    assert_eq!(statements.upsert(&upsert), crate::upsert(dialect, &upsert).into());
                }
            }
        }
    }

    #[test]
    fn searches_by_the_index() {
        let statements = Statements::new(Dialect::Sqlite);
        let contains = |text: &str| Filter::Contains { column: 5, text: text.to_owned() };
        let filters = [contains("abc"), contains("ab"), contains("é and more"), Filter::always()];
        for filter in twice(filters.to_vec()) {
            for owner in [None, Some(uuid::Uuid::nil())] {
                let select = Select { owner, filter: filter.clone(), ..selects().swap_remove(1) };
                assert_eq!(statements.select_by_search(&select), crate::select_by_search(&select).into());
                assert_eq!(statements.select(&select), crate::select(Dialect::Sqlite, &select).into());
                let count = Count { table: &JOBS, owner, filter: filter.clone() };
                assert_eq!(statements.count_by_search(&count), crate::count_by_search(&count).into());
            }
        }
    }

    #[test]
    fn claims_of_any_number() {
        for dialect in BOTH {
            let statements = Statements::new(dialect);
            for update in twice(updates()) {
                for (limit, fair_by) in
                    [(1, None), (1, Some(1)), (2, Some(1)), (5, Some(1)), (8, Some(4)), (8, None)]
                {
                    let Update { table, filter, set, .. } = update.clone();
                    let claim = Claim {
                        table,
                        filter,
                        order: vec![Order { column: 3, direction: SortDirection::Asc }],
                        fair_by,
                        limit,
                        set,
                    };
                    let expected = match dialect {
                        Dialect::Postgres => crate::claim(&claim),
                        Dialect::Sqlite => crate::claim_keys(&claim),
                    };
                    assert_eq!(statements.claim(&claim), expected.into());
                }
            }
        }
    }

    #[test]
    fn look_ups_and_inserts_of_any_table() {
        for dialect in BOTH {
            let statements = Statements::new(dialect);
            for owner in twice(vec![None, Some(uuid::Uuid::nil())]) {
                for (table, columns, values) in [
                    (&JOBS, &[0][..], vec![uuid(1)]),
                    (&JOBS, &[0], vec![text("no id")]),
                    (&JOBS, &[1, 0], vec![uuid(1), uuid(2)]),
                    (&USERS, &[0], vec![uuid(1)]),
                    (&USERS, &[1], vec![text("a@b")]),
                    (&USERS, &[1], vec![text("a\0b")]),
                    (&ODDS, &[0, 1], vec![text("a"), Value::Int(1)]),
                ] {
                    let get = Get { table, owner, key: Key { columns, values } };
                    assert_eq!(statements.get(&get), crate::get(dialect, &get).into());
                }
            }
            for rows in twice((0..250).collect()) {
                let rows = vec![vec![uuid(1), text("a@b")]; rows];
                let insert = Insert { table: &USERS, rows };
                let expected = crate::insert(dialect, &insert).into_iter().map(Rendered::from);
                assert!(statements.insert(&insert).map(|(_, statement)| statement).eq(expected));
            }
        }
    }

    #[test]
    fn what_was_rendered_once_is_shared() {
        let statements = Statements::new(Dialect::Sqlite);
        let get = |number| {
            let key = Key { columns: &[0], values: vec![uuid(number)] };
            statements.get(&Get { table: &JOBS, owner: None, key })
        };
        let (first, second) = (get(1), get(2));
        assert!(Arc::ptr_eq(&first.text, &second.text));
        assert_ne!(first.binds, second.binds);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let statements = Statements::new(Dialect::Sqlite);
        let select = |limit| Select { limit: Some(limit), ..selects().swap_remove(0) };
        (0..40_000).for_each(|limit| drop(statements.select(&select(limit))));
        let texts = statements.texts.read().expect("texts");
        assert!(texts.bytes <= MAX_BYTES && texts.of_shape.len() < 40_000);
        drop(texts);
        assert_eq!(statements.select(&select(5)), crate::select(Dialect::Sqlite, &select(5)).into());
    }
}
