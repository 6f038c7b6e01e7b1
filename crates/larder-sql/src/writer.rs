//! The text and the binds of a statement while it is written.

use std::fmt::{self, Write};

use larder_core::{Assign, ColumnType, Filter, Key, Op, Order, SortDirection, Table, Value};
use serde_json::Value as JsonValue;
use uuid::Uuid;

use crate::{
    Bind, Dialect, Returns, Statement,
    candidates::{is_candidate, searched},
    check::has_type,
    dialect::{literal, postgres_type, quote, quote_text},
};

/// Up to this many values SQLite gets an `IN` list as single binds, beyond it as one JSON array.
pub(crate) const SHORT_LIST: usize = 8;

pub(crate) struct Writer {
    pub(crate) dialect: Dialect,
    pub(crate) table: &'static Table,
    /// Collect the binds only: the text is known already.
    binds_only: bool,
    /// Ask the search index for candidates.
    by_search: bool,
    /// What columns are qualified with, quoted.
    qualifier: Option<String>,
    text: String,
    binds: Vec<Bind>,
    /// When binds are columns of rows that are joined.
    rows: Option<JoinedRows>,
}

/// Rows whose columns are the binds from `first` on.
struct JoinedRows {
    name: &'static str,
    first: usize,
    /// Where in the text they are joined, and by which keyword.
    place: usize,
    keyword: &'static str,
}

impl Writer {
    pub(crate) fn new(dialect: Dialect, table: &'static Table) -> Self {
        Self::with(dialect, table, String::with_capacity(256), Vec::new())
    }

    fn with(dialect: Dialect, table: &'static Table, text: String, binds: Vec<Bind>) -> Self {
        Self { dialect, table, binds_only: false, by_search: false, qualifier: None, text, binds, rows: None }
    }

    /// A writer that collects the binds of a statement whose text is known: it writes none, so that whatever is rendered with
    /// it has the same binds in the same order, for a fraction of the work.
    pub(crate) fn of_binds(dialect: Dialect, table: &'static Table) -> Self {
        let binds = Vec::with_capacity(table.columns.len());
        Self { binds_only: true, ..Self::with(dialect, table, String::new(), binds) }
    }

    /// The same, of a statement for SQLite whose conditions begin with the table's search index, if they look for what it knows.
    pub(crate) fn by_search(mut self) -> Self {
        self.by_search = true;
        self
    }

    /// From here on each bind is a column of rows of this name, which [`Writer::rows_here`] joins.
    pub(crate) fn bind_as_columns_of(&mut self, rows: &'static str) {
        let first = self.binds.len();
        self.rows = Some(JoinedRows { name: rows, first, place: 0, keyword: "" });
    }

    /// Says that this is the place to join the rows that binds are columns of, if they are, by `keyword`.
    pub(crate) fn rows_here(&mut self, keyword: &'static str) {
        if let Some(rows) = &mut self.rows {
            (rows.place, rows.keyword) = (self.text.len(), keyword);
        }
    }

    /// Are binds columns of joined rows?
    pub(crate) fn joins_rows(&self) -> bool {
        self.rows.is_some()
    }

    /// The binds so far.
    pub(crate) fn binds(&self) -> &[Bind] {
        &self.binds
    }

    /// From here on columns are written as `"qualifier"."column"`.
    pub(crate) fn qualify(&mut self, qualifier: &str) {
        self.qualifier = Some(quote(qualifier));
    }

    pub(crate) fn finish(mut self, returns: Returns) -> Statement {
        if let Some(rows) = self.rows.as_ref().filter(|_| !self.binds_only) {
            let unnest = self.unnest(rows);
            self.text.insert_str(rows.place, &unnest);
        }
        Statement { text: self.text, binds: self.binds, returns }
    }

    /// The rows whose columns are the binds: an array for each, the columns called by their numbers.
    fn unnest(&self, rows: &JoinedRows) -> String {
        let (mut arrays, mut names) = (String::new(), String::new());
        for (index, bind) in self.binds.iter().enumerate().skip(rows.first) {
            let Bind::One { kind, .. } = bind else { continue };
            let (separator, number) = (if index > rows.first { ", " } else { "" }, index + 1);
            // Writing to a String cannot fail.
            let _ = write!(arrays, "{separator}${number}::{}[]", postgres_type(*kind));
            let _ = write!(names, "{separator}\"{number}\"");
        }
        format!("{}unnest({arrays}) AS {} ({names})", rows.keyword, quote(rows.name))
    }

    pub(crate) fn push(&mut self, text: &str) {
        if !self.binds_only {
            self.text.push_str(text);
        }
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.push_formatted(format_args!("{number}"));
    }

    pub(crate) fn push_formatted(&mut self, text: fmt::Arguments<'_>) {
        if !self.binds_only {
            // Writing to a String cannot fail.
            let _ = self.text.write_fmt(text);
        }
    }

    fn identifier(&mut self, identifier: &str) {
        if !self.binds_only {
            self.text.push_str(&quote(identifier));
        }
    }

    pub(crate) fn table_name(&mut self) {
        self.identifier(self.table.name);
    }

    /// The column's bare name, as in lists of columns and left of an assignment.
    pub(crate) fn name(&mut self, column: usize) {
        self.identifier(self.table.columns[column].name);
    }

    pub(crate) fn column(&mut self, column: usize) {
        if let Some(qualifier) = &self.qualifier
            && !self.binds_only
        {
            self.text.push_str(qualifier);
            self.text.push('.');
        }
        self.name(column);
    }

    /// The column in the form that it sorts by: enumerations as text, by bytes.
    pub(crate) fn sort_form(&mut self, column: usize) {
        self.column(column);
        if self.is_native_enum(column) {
            self.push("::text COLLATE \"C\"");
        }
    }

    /// The column in the form that it is read in.
    pub(crate) fn read_form(&mut self, column: usize) {
        self.column(column);
        if self.is_native_enum(column) {
            self.push("::text");
        }
    }

    fn is_native_enum(&self, column: usize) -> bool {
        self.dialect == Dialect::Postgres && matches!(self.table.columns[column].kind, ColumnType::Enum(_))
    }

    /// Writes each item, `separator` between them.
    pub(crate) fn separated<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        separator: &str,
        mut each: impl FnMut(&mut Self, T),
    ) {
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.push(separator);
            }
            each(self, item);
        }
    }

    pub(crate) fn visible(&mut self) {
        if !self.binds_only {
            self.separated(0..self.table.visible, ", ", Self::read_form);
        }
    }

    /// A placeholder for a value of this type, without a cast.
    pub(crate) fn bind(&mut self, kind: ColumnType, value: Value) {
        self.placeholder(Bind::One { kind, value });
    }

    pub(crate) fn bind_many(&mut self, kind: ColumnType, values: Vec<Value>) {
        self.placeholder(Bind::Many { kind, values });
    }

    fn placeholder(&mut self, bind: Bind) {
        self.binds.push(bind);
        let number = self.binds.len();
        if let Some(rows) = &self.rows {
            let rows = rows.name;
            self.identifier(rows);
            return self.push_formatted(format_args!(".\"{number}\""));
        }
        let sign = match self.dialect {
            Dialect::Postgres => '$',
            Dialect::Sqlite => '?',
        };
        self.push_formatted(format_args!("{sign}{number}"));
    }

    /// A placeholder for a value of this column, cast to the column's type where the database needs it.
    pub(crate) fn value(&mut self, column: usize, value: Value) {
        self.bind(self.table.columns[column].kind, value);
        self.cast_from_text(column);
    }

    /// The column's default as a constant; NULL when it has none.
    pub(crate) fn default(&mut self, column: usize) {
        if self.binds_only {
            return;
        }
        match self.table.columns[column].default {
            Some(default) => {
                let text = literal(self.dialect, default);
                self.push(&text);
                self.cast_from_text(column);
            }
            None => self.push("NULL"),
        }
    }

    /// After an expression of type text: makes it one of the column's type.
    pub(crate) fn cast_from_text(&mut self, column: usize) {
        if self.is_native_enum(column) {
            let kind = self.dialect.type_name(self.table.columns[column].kind);
            self.push_formatted(format_args!("::{kind}"));
        }
    }

    /// A value of an enumeration that a row is compared with, as a constant: of a bind no planner knows that it is what a
    /// partial index is for.
    fn enum_constant(&mut self, column: usize, value: &Value) {
        let Value::Text(variant) = value else { return self.push("NULL") };
        let constant = quote_text(variant);
        self.push(&constant);
        self.cast_from_text(column);
    }

    /// `WHERE` with what a verb says about its rows.
    pub(crate) fn conditions(&mut self, key: Option<&Key>, owner: Option<Uuid>, filter: &Filter) {
        self.push(" WHERE ");
        let begin = self.text.len();
        if let Some(key) = key {
            for (&column, value) in key.columns.iter().zip(&key.values) {
                self.and_after(begin);
                self.compare(column, Op::Eq, value);
            }
        }
        let text = searched(self.table, filter).filter(|_| self.by_search);
        if let Some(text) = text {
            self.and_after(begin);
            is_candidate(self, text);
        }
        if let (Some(owner), Some(column)) = (owner, self.table.owner) {
            self.and_after(begin);
            // SQLite's planner would take the index of an owner's rows for shorter: it is not to look for one.
            self.push(if text.is_some() { "+" } else { "" });
            self.compare(column, Op::Eq, &Value::Uuid(owner));
        }
        let says_nothing = matches!(filter, Filter::All(all) if all.is_empty());
        if !says_nothing || self.text.len() == begin {
            self.and_after(begin);
            self.filter(filter);
        }
    }

    fn and_after(&mut self, begin: usize) {
        if self.text.len() > begin {
            self.push(" AND ");
        }
    }

    pub(crate) fn filter(&mut self, filter: &Filter) {
        match filter {
            Filter::All(all) => self.joined(all, " AND ", "TRUE"),
            Filter::Any(any) => self.joined(any, " OR ", "FALSE"),
            Filter::Compare { column, op, value } => self.compare(*column, *op, value),
            Filter::In { column, values } => self.is_in(*column, values),
            Filter::IsNull(column) => {
                self.column(*column);
                self.push(" IS NULL");
            }
            Filter::IsNotNull(column) => self.is_not_null(*column),
            Filter::Contains { column, text } => self.contains(*column, text),
        }
    }

    fn joined(&mut self, filters: &[Filter], separator: &str, of_none: &str) {
        match filters {
            [] => self.push(of_none),
            [one] => self.filter(one),
            several => {
                self.push("(");
                self.separated(several, separator, Self::filter);
                self.push(")");
            }
        }
    }

    fn is_not_null(&mut self, column: usize) {
        self.column(column);
        self.push(" IS NOT NULL");
    }

    pub(crate) fn compare(&mut self, column: usize, op: Op, value: &Value) {
        let kind = self.table.columns[column].kind;
        let equality = matches!(op, Op::Eq | Op::Ne);
        // What `Value::compare` has no answer for is never met: other types, NULL, NaN, the order of JSON.
        let comparable = has_type(kind, value) && !is_nan(value) && (equality || kind != ColumnType::Json);
        if !comparable {
            return self.push("FALSE");
        }
        if equality && !can_be_stored(kind, value) {
            return if op == Op::Eq { self.push("FALSE") } else { self.is_not_null(column) };
        }
        if equality {
            self.column(column);
        } else {
            self.sort_form(column);
        }
        self.push(symbol(op));
        if equality && matches!(kind, ColumnType::Enum(_)) {
            self.enum_constant(column, value);
        } else if equality {
            self.value(column, value.clone());
        } else {
            self.bind(kind, value.clone());
        }
    }

    fn is_in(&mut self, column: usize, values: &[Value]) {
        let kind = self.table.columns[column].kind;
        let can_be_met =
            |value: &&Value| has_type(kind, value) && !is_nan(value) && can_be_stored(kind, value);
        let values: Vec<Value> = values.iter().filter(can_be_met).cloned().collect();
        if values.is_empty() {
            return self.push("FALSE");
        }
        self.column(column);
        match self.dialect {
            _ if matches!(kind, ColumnType::Enum(_)) => {
                // There are no more than the enumeration has, however long the list is.
                let distinct: Vec<_> =
                    values.iter().enumerate().filter(|(at, value)| !values[..*at].contains(value)).collect();
                self.push(" IN (");
                self.separated(distinct, ", ", |this, (_, value)| this.enum_constant(column, value));
                self.push(")");
            }
            Dialect::Postgres => {
                self.push(" = ANY(");
                self.bind_many(kind, values);
                self.push(")");
            }
            // A float does not survive the way through JSON text for certain.
            Dialect::Sqlite if values.len() <= SHORT_LIST || kind == ColumnType::Float => {
                self.push(" IN (");
                self.separated(values, ", ", |this, value| this.bind(kind, value));
                self.push(")");
            }
            Dialect::Sqlite => {
                let in_hex = matches!(kind, ColumnType::Bytes | ColumnType::Uuid);
                self.push(if in_hex { " IN (SELECT unhex(value)" } else { " IN (SELECT value" });
                self.push(" FROM json_each(");
                let list = JsonValue::Array(values.into_iter().map(json_item).collect());
                self.bind(ColumnType::Text, Value::Text(list.to_string()));
                self.push("))");
            }
        }
    }

    fn contains(&mut self, column: usize, text: &str) {
        let is_text = self.table.columns[column].kind == ColumnType::Text;
        if !is_text || text.contains('\0') {
            return self.push("FALSE");
        }
        match self.dialect {
            Dialect::Postgres => {
                self.column(column);
                self.push(" LIKE ");
                self.placeholder(Bind::Pattern { value: Value::Text(pattern(text)) });
                self.push(" ESCAPE '\\'");
            }
            Dialect::Sqlite => {
                // LIKE would fold ASCII letters.
                self.push("instr(");
                self.column(column);
                self.push(", ");
                self.bind(ColumnType::Text, Value::Text(text.to_owned()));
                self.push(") > 0");
            }
        }
    }

    /// `ORDER BY`, NULLs last.
    pub(crate) fn order(&mut self, order: &[Order]) {
        if order.is_empty() {
            return;
        }
        self.push(" ORDER BY ");
        self.separated(order, ", ", |this, by| {
            this.sort_form(by.column);
            this.direction(*by);
        });
    }

    pub(crate) fn direction(&mut self, by: Order) {
        self.push(match by.direction {
            SortDirection::Asc => " ASC",
            SortDirection::Desc => " DESC",
        });
        // Saying it of a column that holds no NULL would keep PostgreSQL from using an index.
        if self.table.columns[by.column].nullable {
            self.push(" NULLS LAST");
        }
    }

    /// The condition that a row comes after this position in the order.
    pub(crate) fn after(&mut self, order: &[Order], position: &[Value]) {
        let same_direction = order.windows(2).all(|pair| pair[0].direction == pair[1].direction);
        let never_null = order.iter().all(|by| !self.table.columns[by.column].nullable);
        match order {
            [] => self.push("FALSE"),
            [first, ..] if same_direction && never_null => {
                // One comparison of rows, because that is what an index can seek to.
                let kinds = order.iter().map(|by| self.table.columns[by.column].kind).zip(position);
                let kinds: Vec<_> = kinds.collect();
                self.push("(");
                self.separated(order, ", ", |this, by| this.sort_form(by.column));
                self.push(if first.direction == SortDirection::Asc { ") > (" } else { ") < (" });
                self.separated(kinds, ", ", |this, (kind, value)| this.bind(kind, value.clone()));
                self.push(")");
            }
            _ => self.after_column_by_column(order, position),
        }
    }

    /// `a > x OR (a = x AND (b > y OR …))`, with NULL as the greatest value.
    fn after_column_by_column(&mut self, order: &[Order], position: &[Value]) {
        let ([by, later @ ..], [value, later_values @ ..]) = (order, position) else {
            return self.push("FALSE");
        };
        self.push("(");
        if !value.is_null() {
            self.sort_form(by.column);
            self.push(if by.direction == SortDirection::Asc { " > " } else { " < " });
            self.bind(self.table.columns[by.column].kind, value.clone());
            self.push(" OR ");
            if self.table.columns[by.column].nullable {
                self.filter(&Filter::IsNull(by.column));
                self.push(" OR ");
            }
        }
        self.push("(");
        if value.is_null() {
            self.filter(&Filter::IsNull(by.column));
        } else {
            self.compare(by.column, Op::Eq, value);
        }
        self.push(" AND ");
        self.after_column_by_column(later, later_values);
        self.push("))");
    }

    /// What follows `SET`.
    pub(crate) fn assignments(&mut self, set: &[(usize, Assign)]) {
        self.separated(set, ", ", |this, (column, assign)| {
            this.name(*column);
            this.push(" = ");
            this.assigned(*column, assign);
        });
    }

    fn assigned(&mut self, column: usize, assign: &Assign) {
        match assign {
            Assign::Set(value) => self.value(column, value.clone()),
            Assign::Add(delta) => {
                self.column(column);
                self.push(" + ");
                self.bind(ColumnType::Int, Value::Int(*delta));
            }
            Assign::Advance(time) => {
                self.push(match self.dialect {
                    Dialect::Postgres => "GREATEST(",
                    Dialect::Sqlite => "max(",
                });
                self.column(column);
                self.push(match self.dialect {
                    Dialect::Postgres => " + interval '1 microsecond', ",
                    Dialect::Sqlite => " + 1, ",
                });
                self.bind(ColumnType::Time, Value::Time(*time));
                self.push(")");
            }
        }
    }

    /// `AND …`: the sums of `set` stay within an `i64`.
    pub(crate) fn and_sums_fit(&mut self, set: &[(usize, Assign)]) {
        for (column, assign) in set {
            let Assign::Add(delta) = assign else { continue };
            self.push(" AND ");
            self.column(*column);
            // Neither difference can overflow.
            let bound = if *delta >= 0 {
                self.push(" <= ");
                i64::MAX - delta
            } else {
                self.push(" >= ");
                i64::MIN - delta
            };
            self.bind(ColumnType::Int, Value::Int(bound));
        }
    }

    /// `(left."a" = right."a" AND …)` over the primary key, whose columns are called `names` on the right.
    pub(crate) fn same_key(&mut self, right: &str, names: impl Fn(usize) -> String) {
        let right = quote(right);
        self.separated(self.table.primary_key.iter().enumerate(), " AND ", |this, (index, &column)| {
            this.column(column);
            this.push(" = ");
            this.push(&right);
            this.push(".");
            this.push(&quote(&names(index)));
        });
    }

    /// `::type[]` on PostgreSQL, for an array of a column's values.
    pub(crate) fn array_cast(&mut self, kind: ColumnType) {
        self.push("::");
        self.push(postgres_type(kind));
        self.push("[]");
    }
}

fn symbol(op: Op) -> &'static str {
    match op {
        Op::Eq => " = ",
        Op::Ne => " <> ",
        Op::Lt => " < ",
        Op::Le => " <= ",
        Op::Gt => " > ",
        Op::Ge => " >= ",
    }
}

pub(crate) fn is_nan(value: &Value) -> bool {
    matches!(value, Value::Float(float) if float.is_nan())
}

/// False for what no row can hold, and PostgreSQL refuses to compare with: text with NUL, text that is none of an
/// enumeration's.
pub(crate) fn can_be_stored(kind: ColumnType, value: &Value) -> bool {
    match (kind, value) {
        (ColumnType::Enum(values), Value::Text(text)) => values.variants.contains(&text.as_str()),
        (_, Value::Text(text)) => !text.contains('\0'),
        _ => true,
    }
}

/// The LIKE pattern of the texts that contain this one.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// A value as an item of a JSON list that SQLite compares a column with.
fn json_item(value: Value) -> JsonValue {
    match value {
        Value::Null => JsonValue::Null,
        Value::Bool(value) => i64::from(value).into(),
        Value::Int(value) => value.into(),
        Value::Float(value) => value.into(),
        Value::Text(value) => value.into(),
        Value::Bytes(value) => hex(&value).into(),
        Value::Json(value) => value.to_string().into(),
        Value::Time(value) => value.timestamp_micros().into(),
        Value::Uuid(value) => value.simple().to_string().into(),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
