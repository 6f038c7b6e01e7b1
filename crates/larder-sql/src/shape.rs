//! What the text of a statement depends on.

use larder_core::{
    Aggregate, Assign, Claim, ColumnType, Count, Delete, Filter, Get, Key, Op, Order, Select, SortDirection,
    Table, Update, Upsert, Value,
};

use crate::{
    Dialect,
    candidates::searched,
    check::has_type,
    claim::{fair_by, shown_limit},
    writer::{SHORT_LIST, can_be_stored, is_nan},
};

/// A verb without its values, as bytes: verbs with the same shape have the same text.
///
/// Each part is written so that its end is known from its beginning (numbers by themselves, lists after their length), so
/// that two shapes have the same bytes only when all their parts are the same. Of a value it holds what the text shows of
/// it: [`Shape::compared`] and [`Shape::filter`] follow [`Writer`](crate::writer::Writer) case by case.
pub(crate) struct Shape {
    dialect: Dialect,
    table: &'static Table,
    bytes: Vec<u8>,
}

impl Shape {
    fn new(dialect: Dialect, verb: u8, table: &'static Table) -> Self {
        let mut shape = Self { dialect, table, bytes: Vec::with_capacity(64) };
        shape.byte(verb);
        // Tables are static: no other one will ever be at this address.
        shape.number(std::ptr::from_ref(table).addr() as u64);
        shape
    }

    pub(crate) fn of_get(dialect: Dialect, get: &Get) -> Self {
        let mut shape = Self::new(dialect, 0, get.table);
        shape.key(&get.key);
        shape.flag(get.owner.is_some());
        shape
    }

    /// Of a look-up among others, whoever's row it may see.
    pub(crate) fn of_look_up(get: &Get) -> Self {
        let mut shape = Self::new(Dialect::Postgres, 0, get.table);
        shape.key(&get.key);
        shape
    }

    pub(crate) fn of_select(dialect: Dialect, select: &Select) -> Self {
        let mut shape = Self::new(dialect, 1, select.table);
        shape.flag(select.owner.is_some());
        shape.filter(&select.filter);
        shape.list(&select.order, |shape, by| shape.order(*by));
        shape.flag(select.after.is_some());
        if let Some(position) = &select.after {
            shape.number(position.len() as u64);
            for (by, value) in select.order.iter().zip(position) {
                shape.flag(value.is_null());
                shape.compared(by.column, Op::Eq, value);
            }
        }
        shape.limit(select.limit);
        shape.flag(select.offset > 0);
        shape
    }

    pub(crate) fn of_count(dialect: Dialect, count: &Count) -> Self {
        let mut shape = Self::new(dialect, 2, count.table);
        shape.flag(count.owner.is_some());
        shape.filter(&count.filter);
        shape
    }

    /// Of the statement that inserts this many rows, in which these columns hold their [defaults](crate::write::defaults).
    pub(crate) fn of_insert(dialect: Dialect, table: &'static Table, rows: usize, defaults: &[bool]) -> Self {
        let mut shape = Self::of_insert_into(dialect, table);
        shape.number(match dialect {
            // From two rows on they are arrays.
            Dialect::Postgres => rows.min(2),
            Dialect::Sqlite => rows,
        } as u64);
        shape.list(defaults, |shape, is_default| shape.flag(*is_default));
        shape
    }

    /// Of any insert into the table.
    pub(crate) fn of_insert_into(dialect: Dialect, table: &'static Table) -> Self {
        Self::new(dialect, 3, table)
    }

    pub(crate) fn of_update(dialect: Dialect, update: &Update) -> Self {
        let mut shape = Self::new(dialect, 4, update.table);
        shape.conditions(update.key.as_ref(), update.owner.is_some(), &update.filter);
        shape.assignments(&update.set);
        shape.flag(update.returning);
        shape
    }

    pub(crate) fn of_delete(dialect: Dialect, delete: &Delete) -> Self {
        let mut shape = Self::new(dialect, 5, delete.table);
        shape.conditions(delete.key.as_ref(), delete.owner.is_some(), &delete.filter);
        shape.limit(delete.limit);
        shape.flag(delete.returning);
        shape
    }

    pub(crate) fn of_upsert(dialect: Dialect, upsert: &Upsert) -> Self {
        let mut shape = Self::new(dialect, 6, upsert.table);
        shape.list(upsert.conflict, |shape, column| shape.number(*column as u64));
        shape.assignments(&upsert.set);
        shape
    }

    /// Of a claim of as many rows as this.
    pub(crate) fn of_claim(dialect: Dialect, claim: &Claim, limit: u32) -> Self {
        let mut shape = Self::new(dialect, 7, claim.table);
        shape.filter(&claim.filter);
        shape.list(&claim.order, |shape, by| shape.order(*by));
        let fair_by = fair_by(claim, limit);
        shape.flag(fair_by.is_some());
        if let Some(column) = fair_by {
            shape.number(column as u64);
        }
        shape.number(shown_limit(claim, limit));
        shape.assignments(&claim.set);
        shape
    }

    pub(crate) fn of_aggregate(dialect: Dialect, aggregate: &Aggregate) -> Self {
        let mut shape = Self::new(dialect, 8, aggregate.table);
        shape.flag(aggregate.owner.is_some());
        shape.filter(&aggregate.filter);
        shape.flag(aggregate.group_by.is_some());
        shape.number(aggregate.group_by.unwrap_or_default() as u64);
        shape.list(&aggregate.sums, |shape, column| shape.number(*column as u64));
        shape
    }

    /// The same by the search index, when it knows what the filter looks for.
    pub(crate) fn by_search(mut self, filter: &Filter) -> Self {
        self.flag(searched(self.table, filter).is_some());
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn into_bytes(self) -> Box<[u8]> {
        self.bytes.into()
    }

    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    fn flag(&mut self, flag: bool) {
        self.byte(u8::from(flag));
    }

    /// Seven bits in each byte, the highest says that more follow.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    fn list<T>(&mut self, items: &[T], each: impl Fn(&mut Self, &T)) {
        self.number(items.len() as u64);
        for item in items {
            each(self, item);
        }
    }

    fn limit(&mut self, limit: Option<u64>) {
        self.flag(limit.is_some());
        self.number(limit.unwrap_or_default());
    }

    fn order(&mut self, by: Order) {
        self.number(by.column as u64);
        self.flag(by.direction == SortDirection::Asc);
    }

    fn conditions(&mut self, key: Option<&Key>, has_owner: bool, filter: &Filter) {
        self.flag(key.is_some());
        if let Some(key) = key {
            self.key(key);
        }
        self.flag(has_owner);
        self.filter(filter);
    }

    fn key(&mut self, key: &Key) {
        self.number(key.columns.len() as u64);
        self.number(key.values.len() as u64);
        for (&column, value) in key.columns.iter().zip(&key.values) {
            self.number(column as u64);
            self.compared(column, Op::Eq, value);
        }
    }

    fn filter(&mut self, filter: &Filter) {
        match filter {
            Filter::All(all) => {
                self.byte(0);
                self.list(all, Self::filter);
            }
            Filter::Any(any) => {
                self.byte(1);
                self.list(any, Self::filter);
            }
            Filter::Compare { column, op, value } => {
                self.byte(2);
                self.number(*column as u64);
                self.byte(*op as u8);
                self.compared(*column, *op, value);
            }
            Filter::In { column, values } => {
                self.byte(3);
                self.number(*column as u64);
                self.any_of(*column, values);
            }
            Filter::IsNull(column) => {
                self.byte(4);
                self.number(*column as u64);
            }
            Filter::IsNotNull(column) => {
                self.byte(5);
                self.number(*column as u64);
            }
            Filter::Contains { column, text } => {
                self.byte(6);
                self.number(*column as u64);
                self.flag(text.contains('\0'));
            }
        }
    }

    /// What a comparison shows of the value: whether it can be met at all, and a constant's own text.
    fn compared(&mut self, column: usize, op: Op, value: &Value) {
        let kind = self.table.columns[column].kind;
        self.flag(has_type(kind, value));
        self.flag(is_nan(value));
        self.flag(can_be_stored(kind, value));
        if matches!(op, Op::Eq | Op::Ne) {
            self.variant(kind, value);
        }
    }

    /// Which of an enumeration's texts it is.
    fn variant(&mut self, kind: ColumnType, value: &Value) {
        if let (ColumnType::Enum(values), Value::Text(text)) = (kind, value) {
            let position = values.variants.iter().position(|variant| variant == text);
            self.number(position.unwrap_or(values.variants.len()) as u64);
        }
    }

    fn any_of(&mut self, column: usize, values: &[Value]) {
        let kind = self.table.columns[column].kind;
        let can_be_met =
            |value: &&Value| has_type(kind, value) && !is_nan(value) && can_be_stored(kind, value);
        let values = values.iter().filter(can_be_met);
        if matches!(kind, ColumnType::Enum(_)) {
            let values: Vec<_> = values.collect();
            return self.list(&values, |shape, value| shape.variant(kind, value));
        }
        let shown = match self.dialect {
            Dialect::Postgres => values.take(1).count(),
            Dialect::Sqlite if kind == ColumnType::Float => values.count(),
            Dialect::Sqlite => values.take(SHORT_LIST + 1).count(),
        };
        self.number(shown as u64);
    }

    fn assignments(&mut self, set: &[(usize, Assign)]) {
        self.list(set, |shape, (column, assign)| {
            shape.number(*column as u64);
            shape.byte(match assign {
                Assign::Set(_) => 0,
                // The bound that the sum is compared with is on either side.
                Assign::Add(delta) if *delta >= 0 => 1,
                Assign::Add(_) => 2,
                Assign::Advance(_) => 3,
            });
        });
    }
}
