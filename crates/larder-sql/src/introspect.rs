//! Reading the logical schema of a database.

use larder_core::{ColumnType, Error, Result, Row, Sql, Store, Value};

use crate::{
    LogicalColumn, LogicalForeignKey, LogicalIndex, LogicalKey, LogicalSchema, LogicalTable, LogicalType,
    ddl::sqlite_type_check,
    definition::{self, Constraint},
    dialect::quote,
};

/// Reads the schema of a store's database: on PostgreSQL the tables of the current schema, on SQLite all; without those
/// named in `except` (the migrations' ledger).
///
/// # Errors
/// As [`Store::sql`]; `Unsupported` when the store has no SQL.
pub async fn introspect(store: &dyn Store, except: &[&str]) -> Result<LogicalSchema> {
    let mut found = Found::default();
    for row in store.sql(columns()).await?.rows {
        found.add_column(row)?;
    }
    for row in store.sql(constraints()).await?.rows {
        found.add_constraints(row)?;
    }
    for row in store.sql(indexes()).await?.rows {
        found.add_index(row)?;
    }
    found.tables.retain(|table| !except.contains(&table.name.as_str()));
    Ok(LogicalSchema { tables: found.tables }.sorted())
}

/// The tables on SQLite, without its own and those that indexes of search consist of.
const SQLITE_TABLES: &str = "SELECT name, sql FROM sqlite_schema
    WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT IN (
        SELECT i.name || part.value
        FROM sqlite_schema i, json_each('[\"\", \"_config\", \"_data\", \"_idx\", \"_keys\"]') part
        WHERE i.sql LIKE 'CREATE VIRTUAL TABLE %')";

/// Table, column, type, may it be NULL, has it a default. An enumeration's type is `enum` and its texts.
fn columns() -> Sql {
    Sql::new(
        "SELECT c.relname::text, a.attname::text,
            CASE WHEN t.typtype = 'e' THEN 'enum ' || (
                SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                FROM pg_enum e WHERE e.enumtypid = t.oid)
            WHEN l.collname <> 'C' THEN format_type(t.oid, a.atttypmod) || ' COLLATE ' || l.collname
            ELSE format_type(t.oid, a.atttypmod) END,
            NOT a.attnotnull, a.atthasdef
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
            LEFT JOIN pg_collation l ON l.oid = a.attcollation
        WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
            AND a.attnum > 0 AND NOT a.attisdropped",
        format!(
            "SELECT m.name, c.name, c.type, c.\"notnull\" = 0, c.dflt_value IS NOT NULL
            FROM ({SQLITE_TABLES}) m JOIN pragma_table_info(m.name) c"
        ),
    )
    .returning([
        ColumnType::Text,
        ColumnType::Text,
        ColumnType::Text,
        ColumnType::Bool,
        ColumnType::Bool,
    ])
}

/// Table, name, definition; or table, NULL, and the statement that created it.
fn constraints() -> Sql {
    Sql::new(
        "SELECT c.relname::text, k.conname::text, pg_get_constraintdef(k.oid)
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
            AND k.contype IN ('p', 'u', 'f', 'c')",
        format!("SELECT name, NULL, sql FROM ({SQLITE_TABLES})"),
    )
    .returning([ColumnType::Text, ColumnType::Text, ColumnType::Text])
}

/// Table, name, the statement that created it; without those that belong to a constraint. One of search, on SQLite, is there
/// when its triggers are.
fn indexes() -> Sql {
    Sql::new(
        "SELECT c.relname::text, i.relname::text, pg_get_indexdef(i.oid)
        FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
        WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
            AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u'))",
        "SELECT tbl_name, name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL
        UNION ALL
        SELECT substr(i.name, 1, length(i.name) - length('_trgm')), i.name, i.sql FROM sqlite_schema i
        WHERE i.sql LIKE 'CREATE VIRTUAL TABLE %' AND 4 = (
            SELECT count(*) FROM sqlite_schema t WHERE t.type = 'trigger' AND t.name IN (
                i.name || '_write', i.name || '_insert', i.name || '_update', i.name || '_delete'))",
    )
    .returning([ColumnType::Text, ColumnType::Text, ColumnType::Text])
}

#[derive(Default)]
struct Found {
    tables: Vec<LogicalTable>,
}

impl Found {
    fn table(&mut self, name: &str) -> &mut LogicalTable {
        let index = self.tables.iter().position(|table| table.name == name).unwrap_or_else(|| {
            self.tables.push(LogicalTable { name: name.to_owned(), ..LogicalTable::default() });
            self.tables.len() - 1
        });
        &mut self.tables[index]
    }

    fn add_column(&mut self, row: Row) -> Result<()> {
        let [table, name, kind, nullable, has_default] = values(row)?;
        let column = LogicalColumn {
            name: text(name)?,
            kind: logical_type(&text(kind)?),
            nullable: nullable == Value::Bool(true),
            has_default: has_default == Value::Bool(true),
        };
        self.table(&text(table)?).columns.push(column);
        Ok(())
    }

    fn add_constraints(&mut self, row: Row) -> Result<()> {
        let [table, name, definition] = values(row)?;
        let (table, definition) = (text(table)?, text(definition)?);
        let table = self.table(&table);
        if name.is_null() {
            for (name, definition) in definition::constraints_of_table(&definition) {
                table.add_constraint(name, definition);
            }
        } else {
            table.add_constraint(text(name)?, &definition);
        }
        Ok(())
    }

    fn add_index(&mut self, row: Row) -> Result<()> {
        let [table, name, sql] = values(row)?;
        let (name, sql) = (text(name)?, text(sql)?);
        let Some(definition::Index { columns, is_unique, is_partial, is_of_search }) =
            definition::index(&sql)
        else {
            return Err(unreadable());
        };
        let table = self.table(&text(table)?);
        if is_of_search {
            table.search = Some(LogicalKey { name, columns });
        // SQLite can add a unique key to a table only as an index.
        } else if is_unique && !is_partial {
            table.uniques.push(LogicalKey { name, columns });
        } else {
            table.indexes.push(LogicalIndex { name, columns, is_partial });
        }
        Ok(())
    }
}

impl LogicalTable {
    fn add_constraint(&mut self, name: String, definition: &str) {
        match definition::constraint(definition) {
            Some(Constraint::PrimaryKey(columns)) => self.primary_key = Some(LogicalKey { name, columns }),
            Some(Constraint::Unique(columns)) => self.uniques.push(LogicalKey { name, columns }),
            Some(Constraint::ForeignKey { columns, parent, parent_columns, cascades }) => {
                self.foreign_keys.push(LogicalForeignKey { name, columns, parent, parent_columns, cascades });
            }
            Some(Constraint::Check(condition)) => {
                let of_type = self.columns.iter_mut().find_map(|column| column.refine(condition));
                if of_type != Some("") {
                    self.checks.push(name);
                }
            }
            // A constraint that larder never writes has to show up as a difference.
            None => self.checks.push(format!("{name} {definition}")),
        }
    }
}

impl LogicalColumn {
    /// Learns from a condition that begins with what a type of larder's means on SQLite; the rest of the condition.
    fn refine<'c>(&mut self, condition: &'c str) -> Option<&'c str> {
        let name = quote(&self.name);
        let candidates = match self.kind {
            LogicalType::Int => [ColumnType::Bool, ColumnType::Time].as_slice(),
            LogicalType::Bytes => &[ColumnType::Uuid],
            LogicalType::Text => &[ColumnType::Json],
            _ => return None,
        };
        for kind in candidates {
            let of_type = sqlite_type_check(*kind, &name);
            if let Some(rest) = of_type.and_then(|of_type| condition.strip_prefix(of_type.as_str())) {
                self.kind = (*kind).into();
                return Some(rest);
            }
        }
        let list = condition.strip_prefix(&name)?.strip_prefix(" IN ")?;
        let (_, texts, rest) = definition::parenthesized(list)?;
        self.kind = LogicalType::Enum(definition::texts(texts));
        Some(rest)
    }
}

/// The names of types that larder uses, on either database.
fn logical_type(name: &str) -> LogicalType {
    match name {
        "boolean" => LogicalType::Bool,
        "bigint" | "INTEGER" => LogicalType::Int,
        "double precision" | "REAL" => LogicalType::Float,
        "text" | "TEXT" => LogicalType::Text,
        "bytea" | "BLOB" => LogicalType::Bytes,
        "jsonb" => LogicalType::Json,
        "timestamp with time zone" => LogicalType::Time,
        "uuid" => LogicalType::Uuid,
        other => match other.strip_prefix("enum ") {
            Some(texts) => LogicalType::Enum(definition::texts(texts)),
            None => LogicalType::Other(other.to_owned()),
        },
    }
}

fn values<const N: usize>(row: Row) -> Result<[Value; N]> {
    row.into_values().try_into().map_err(|_| unreadable())
}

fn text(value: Value) -> Result<String> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(unreadable()),
    }
}

fn unreadable() -> Error {
    Error::corrupt("schema", "")
        .with_context("the database describes its schema in a way that is not understood")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Dialect, create_table,
        fixtures::{JOBS, ODDS, USERS, text},
    };

    /// What SQLite answers for tables that were created from their metadata.
    fn found_on_sqlite(tables: &[&'static larder_core::Table]) -> LogicalSchema {
        let mut found = Found::default();
        for table in tables {
            for column in table.columns {
                let kind = text(&Dialect::Sqlite.type_name(column.kind));
                let (nullable, default) =
                    (Value::Bool(column.nullable), Value::Bool(column.default.is_some()));
                found
                    .add_column(Row::new(vec![text(table.name), text(column.name), kind, nullable, default]))
                    .unwrap();
            }
            let statements = create_table(Dialect::Sqlite, table);
            found
                .add_constraints(Row::new(vec![text(table.name), Value::Null, text(&statements[0])]))
                .unwrap();
            let names = table.indexes.iter().map(|index| table.index_name(index));
            let of_search = statements.iter().find(|statement| statement.starts_with("CREATE VIRTUAL"));
            for (name, sql) in
                names.zip(&statements[1..]).chain(of_search.map(|sql| (table.search_index_name(), sql)))
            {
                found.add_index(Row::new(vec![text(table.name), text(&name), text(sql)])).unwrap();
            }
        }
        LogicalSchema { tables: found.tables }.sorted()
    }

    #[test]
    fn types_and_rules_are_told_apart_on_sqlite() {
        let tables = [&ODDS, &JOBS, &USERS];
        assert_eq!(found_on_sqlite(&tables), LogicalSchema::of(&tables));
    }

    #[test]
    fn a_unique_index_is_a_unique_key() {
        let mut found = Found::default();
        let sql = "CREATE UNIQUE INDEX \"t_a_key\" ON \"t\" (\"a\")";
        found.add_index(Row::new(vec![text("t"), text("t_a_key"), text(sql)])).unwrap();
        let key = LogicalKey { name: "t_a_key".to_owned(), columns: vec!["a".to_owned()] };
        assert_eq!(found.tables[0].uniques, [key]);
    }
}
