//! The index that search uses: the trigrams of a table's search copies.
//!
//! PostgreSQL has an index for `LIKE`, of the extension pg_trgm, and its planner decides when to use it.
//!
//! SQLite has an FTS5 table, which is asked for [candidates](crate::candidates). Three things about it are not as one would expect:
//! - Its entries are not called by the rows' rowids: a dump does not keep them, and `VACUUM` need not. They are called by numbers
//!   that a table beside it gives to primary keys, each once.
//! - A write into FTS5 costs more for each statement than for each row, and every caller of a group commit is a statement. So a
//!   new row only gets its number; each number that [`BATCH`] divides writes the rows since the last such. Until then they are
//!   candidates of every search.
//! - It keeps no texts and no positions, only which entries have a trigram.

use larder_core::Table;

use crate::{
    Dialect,
    ddl::names,
    dialect::{quote, quote_text},
};

/// So many rows are written into SQLite's index at once.
const BATCH: u32 = 64;

/// The script that gives a table which is there already, and may hold rows, the index that search uses, called `{table}_trgm`.
/// A new table has it from [`create_schema`](crate::create_schema). It is empty for a table without search columns.
///
/// On PostgreSQL the index is made with the extension pg_trgm, which is created if need be. Where it may not be created, or the
/// server does not have it, the script warns, and goes on without: the same is found, by reading all rows of the owner. It can
/// be run again when the extension is there.
pub fn add_search_index(dialect: Dialect, table: &Table) -> String {
    let mut statements = create_search_index(dialect, table);
    if dialect == Dialect::Sqlite && !statements.is_empty() {
        let (keys, key) = (quote(&keys_name(table)), names(table, table.primary_key));
        statements.push(format!("INSERT INTO {keys} ({key}) SELECT {key} FROM {}", quote(table.name)));
    }
    statements.into_iter().map(|statement| format!("{statement};\n")).collect()
}

/// The statements that give a new table its index; none without search columns.
pub(crate) fn create_search_index(dialect: Dialect, table: &Table) -> Vec<String> {
    match dialect {
        _ if table.search_columns().next().is_none() => Vec::new(),
        Dialect::Postgres => vec![create_on_postgres(table)],
        Dialect::Sqlite => OnSqlite::new(table).create(),
    }
}

/// A server that does not have the extension answers `undefined_file` up to PostgreSQL 15, then `feature_not_supported`.
fn create_on_postgres(table: &Table) -> String {
    let columns: Vec<_> = table
        .search_columns()
        .map(|column| format!("{} %1$s.gin_trgm_ops", quote(table.columns[column].name)))
        .collect();
    let create = format!(
        "CREATE INDEX {} ON {} USING gin ({})",
        quote(&table.search_index_name()),
        quote(table.name),
        columns.join(", ")
    );
    let (create, warning) =
        (quote_text(&create), quote_text(&format!("{} is searched without an index: %", table.name)));
    format!(
        "DO $$ BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    EXECUTE format({create},
        (SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'pg_trgm'));
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
    RAISE WARNING {warning}, SQLERRM;
END $$"
    )
}

/// The table that gives numbers to a table's primary keys, on SQLite.
pub(crate) fn keys_name(table: &Table) -> String {
    format!("{}_keys", table.search_index_name())
}

/// On SQLite, a query for the last number that [`BATCH`] divides: what has a greater one is not in the index yet.
pub(crate) fn last_written(table: &Table) -> String {
    let keys = quote_text(&keys_name(table));
    format!("SELECT seq - seq % {BATCH} FROM sqlite_sequence WHERE name = {keys}")
}

/// The parts of the statements for SQLite.
struct OnSqlite<'t> {
    table: &'t Table,
    searched: Vec<usize>,
    /// Names, quoted.
    index: String,
    keys: String,
    /// The primary key's columns, and those that are searched.
    key: String,
    columns: String,
}

impl<'t> OnSqlite<'t> {
    fn new(table: &'t Table) -> Self {
        let searched: Vec<_> = table.search_columns().collect();
        let (key, columns) = (names(table, table.primary_key), names(table, &searched));
        let (index, keys) = (quote(&table.search_index_name()), quote(&keys_name(table)));
        Self { table, searched, index, keys, key, columns }
    }

    fn create(&self) -> Vec<String> {
        let Self { index, keys, key, columns, .. } = self;
        let table = quote(self.table.name);
        let (number, forget) = (self.number(), self.forget());
        vec![
            self.create_keys(),
            format!(
                "CREATE VIRTUAL TABLE {index} USING fts5({columns}, content='', columnsize=0, detail=none, \
                 tokenize='trigram case_sensitive 1')"
            ),
            self.trigger(
                "write",
                &format!("INSERT ON {keys} WHEN new.\"trgm\" % {BATCH} = 0"),
                &[&self.write()],
            ),
            self.trigger("insert", &format!("INSERT ON {table}"), &[&number]),
            self.trigger(
                "update",
                &format!("UPDATE OF {key}, {columns} ON {table} WHEN {}", self.is_changed()),
                &[&forget[0], &forget[1], &number],
            ),
            self.trigger("delete", &format!("DELETE ON {table}"), &[&forget[0], &forget[1]]),
        ]
    }

    fn create_keys(&self) -> String {
        let Self { keys, key, table, .. } = self;
        let columns = table.primary_key.iter().map(|&column| &table.columns[column]);
        let columns: String = columns
            .map(|column| {
                format!("    {} {} NOT NULL,\n", quote(column.name), Dialect::Sqlite.type_name(column.kind))
            })
            .collect();
        format!(
            "CREATE TABLE {keys} (\n    \"trgm\" INTEGER PRIMARY KEY AUTOINCREMENT,\n{columns}    UNIQUE ({key})\n) STRICT"
        )
    }

    fn trigger(&self, what: &str, when: &str, statements: &[&str]) -> String {
        let name = quote(&format!("{}_{what}", self.table.search_index_name()));
        let statements: String = statements.iter().map(|statement| format!("    {statement};\n")).collect();
        format!("CREATE TRIGGER {name} AFTER {when} BEGIN\n{statements}END")
    }

    /// Gives the new row a number.
    fn number(&self) -> String {
        let values = self.of("new", self.table.primary_key);
        format!("INSERT INTO {} ({}) VALUES ({values})", self.keys, self.key)
    }

    /// Writes the rows whose numbers are not in the index yet.
    fn write(&self) -> String {
        let Self { index, keys, columns, .. } = self;
        let (table, texts, same) =
            (quote(self.table.name), self.of("t", &self.searched), self.same_key("t.", "k."));
        format!(
            "INSERT INTO {index} (rowid, {columns}) SELECT k.\"trgm\", {texts} FROM {keys} AS k \
             CROSS JOIN {table} AS t ON {same} WHERE k.\"trgm\" > new.\"trgm\" - {BATCH}"
        )
    }

    /// Takes the old row out of the index if it is there, and takes its number away.
    fn forget(&self) -> [String; 2] {
        let Self { index, keys, columns, table, .. } = self;
        let (texts, same) = (self.of("old", &self.searched), self.same_key("", "old."));
        [
            format!(
                "INSERT INTO {index} ({index}, rowid, {columns}) SELECT 'delete', \"trgm\", {texts} FROM {keys} \
                 WHERE {same} AND \"trgm\" <= ({})",
                last_written(table)
            ),
            format!("DELETE FROM {keys} WHERE {same}"),
        ]
    }

    /// Is an update one of the key, or of what is searched?
    fn is_changed(&self) -> String {
        let columns = self.table.primary_key.iter().chain(&self.searched);
        let names = columns.map(|&column| quote(self.table.columns[column].name));
        names.map(|name| format!("old.{name} IS NOT new.{name}")).collect::<Vec<_>>().join(" OR ")
    }

    fn of(&self, row: &str, columns: &[usize]) -> String {
        let columns =
            columns.iter().map(|&column| format!("{row}.{}", quote(self.table.columns[column].name)));
        columns.collect::<Vec<_>>().join(", ")
    }

    fn same_key(&self, left: &str, right: &str) -> String {
        let names = self.table.primary_key.iter().map(|&column| quote(self.table.columns[column].name));
        names.map(|name| format!("{left}{name} = {right}{name}")).collect::<Vec<_>>().join(" AND ")
    }
}
