//! Tables from their metadata.

use larder_core::{ColumnType, Condition, EnumType, ForeignKey, Index, Rule, Table};

use crate::{
    Dialect,
    dialect::{literal, quote, quote_text},
    search::create_search_index,
};

/// Microseconds since 1970 of the first and the last instant of the years 1 to 9999.
const TIMES: (i64, i64) = (-62_135_596_800_000_000, 253_402_300_799_999_999);

/// The script that creates these tables, parents before children, each statement ended by `;` and a line break. An
/// enumeration that several tables use is created once.
pub fn create_schema(dialect: Dialect, tables: &[&'static Table]) -> String {
    let mut types: Vec<&EnumType> = Vec::new();
    let mut statements = Vec::new();
    for table in parents_first(tables) {
        for kind in enums(dialect, table) {
            if !types.contains(&kind) {
                types.push(kind);
                statements.push(create_enum(kind));
            }
        }
        statements.extend(create_with_indexes(dialect, table));
    }
    statements.into_iter().map(|statement| format!("{statement};\n")).collect()
}

/// The statements that create a table: its enumerations (PostgreSQL), itself, its indexes, that of search among them.
pub fn create_table(dialect: Dialect, table: &'static Table) -> Vec<String> {
    let mut statements: Vec<_> = enums(dialect, table).into_iter().map(create_enum).collect();
    statements.extend(create_with_indexes(dialect, table));
    statements
}

fn create_with_indexes(dialect: Dialect, table: &'static Table) -> impl Iterator<Item = String> {
    let indexes = table.indexes.iter().map(move |index| create_index(table, index, dialect));
    std::iter::once(create(dialect, table)).chain(indexes).chain(create_search_index(dialect, table))
}

/// The tables so that each comes after its parents; otherwise in the order given.
fn parents_first(tables: &[&'static Table]) -> Vec<&'static Table> {
    let mut sorted: Vec<&'static Table> = Vec::with_capacity(tables.len());
    let mut waiting = tables.to_vec();
    while !waiting.is_empty() {
        let parent_waits = |table: &Table| {
            table.foreign_keys.iter().map(|key| (key.parent)()).any(|parent| {
                parent.name != table.name && waiting.iter().any(|other| other.name == parent.name)
            })
        };
        // Tables that refer to each other in a circle cannot be sorted: the first goes first.
        let next = waiting.iter().position(|table| !parent_waits(table)).unwrap_or(0);
        sorted.push(waiting.remove(next));
    }
    sorted
}

/// The enumerations that a table needs as types.
fn enums(dialect: Dialect, table: &'static Table) -> Vec<&'static EnumType> {
    let mut types = Vec::new();
    for column in table.columns {
        if let (Dialect::Postgres, ColumnType::Enum(kind)) = (dialect, column.kind)
            && !types.contains(&kind)
        {
            types.push(kind);
        }
    }
    types
}

fn create_enum(kind: &EnumType) -> String {
    format!("CREATE TYPE {} AS ENUM ({})", quote(kind.name), texts(kind))
}

fn texts(kind: &EnumType) -> String {
    kind.variants.iter().map(|text| quote_text(text)).collect::<Vec<_>>().join(", ")
}

fn create(dialect: Dialect, table: &'static Table) -> String {
    let mut lines: Vec<String> =
        (0..table.columns.len()).map(|column| column_line(dialect, table, column)).collect();
    lines.push(constraint(
        &table.primary_key_name(),
        &format!("PRIMARY KEY ({})", names(table, table.primary_key)),
    ));
    for unique in table.uniques {
        let rule = format!("UNIQUE ({})", names(table, unique.columns));
        lines.push(constraint(&table.unique_name(unique), &rule));
    }
    for key in table.foreign_keys {
        lines.push(constraint(&table.foreign_key_name(key), &references(table, key)));
    }
    for column in 0..table.columns.len() {
        let parts = check_parts(dialect, table, column);
        if !parts.is_empty() {
            lines.push(constraint(&table.check_name(column), &format!("CHECK ({})", parts.join(" AND "))));
        }
    }
    let end = match dialect {
        Dialect::Postgres => "",
        Dialect::Sqlite => " STRICT",
    };
    format!("CREATE TABLE {} (\n    {}\n){end}", quote(table.name), lines.join(",\n    "))
}

fn column_line(dialect: Dialect, table: &Table, position: usize) -> String {
    let column = &table.columns[position];
    let mut line = format!("{} {}", quote(column.name), dialect.type_name(column.kind));
    if dialect == Dialect::Postgres && column.kind == ColumnType::Text {
        line.push_str(" COLLATE \"C\"");
    }
    if !column.nullable {
        line.push_str(" NOT NULL");
    }
    if let Some(default) = column.default {
        line.push_str(" DEFAULT ");
        line.push_str(&literal(dialect, default));
    }
    line
}

fn constraint(name: &str, rule: &str) -> String {
    format!("CONSTRAINT {} {rule}", quote(name))
}

pub(crate) fn names(table: &Table, columns: &[usize]) -> String {
    columns.iter().map(|&column| quote(table.columns[column].name)).collect::<Vec<_>>().join(", ")
}

fn references(table: &Table, key: &ForeignKey) -> String {
    let parent_columns: Vec<_> = key.parent_columns.iter().map(|name| quote(name)).collect();
    let (parent, parent_columns) = (quote((key.parent)().name), parent_columns.join(", "));
    format!(
        "FOREIGN KEY ({}) REFERENCES {parent} ({parent_columns}) ON DELETE CASCADE",
        names(table, key.columns)
    )
}

/// The conditions of a column's CHECK: what the type means where the database does not know it, then the rules.
fn check_parts(dialect: Dialect, table: &'static Table, position: usize) -> Vec<String> {
    let column = &table.columns[position];
    let name = quote(column.name);
    let of_type = match dialect {
        Dialect::Postgres => None,
        Dialect::Sqlite => sqlite_type_check(column.kind, &name),
    };
    of_type.into_iter().chain(column.all_rules().map(|rule| rule_check(dialect, *rule, &name))).collect()
}

pub(crate) fn sqlite_type_check(kind: ColumnType, name: &str) -> Option<String> {
    match kind {
        ColumnType::Bool => Some(format!("{name} IN (0, 1)")),
        ColumnType::Uuid => Some(format!("length({name}) = 16")),
        ColumnType::Json => Some(format!("json_valid({name})")),
        ColumnType::Enum(kind) => Some(format!("{name} IN ({})", texts(kind))),
        ColumnType::Time => Some(format!("{name} BETWEEN {} AND {}", TIMES.0, TIMES.1)),
        ColumnType::Int | ColumnType::Float | ColumnType::Text | ColumnType::Bytes => None,
    }
}

fn rule_check(dialect: Dialect, rule: Rule, name: &str) -> String {
    match rule {
        Rule::Length { min, max } => format!("length({name}) BETWEEN {min} AND {max}"),
        Rule::Range { min, max: i64::MAX } => format!("{name} >= {min}"),
        Rule::Range { min: i64::MIN, max } => format!("{name} <= {max}"),
        Rule::Range { min, max } => format!("{name} BETWEEN {min} AND {max}"),
        Rule::Url => format!("(substr({name}, 1, 7) = 'http://' OR substr({name}, 1, 8) = 'https://')"),
        Rule::Email => match dialect {
            Dialect::Postgres => format!("position('@' IN {name}) > 1"),
            Dialect::Sqlite => format!("instr({name}, '@') > 1"),
        },
    }
}

fn create_index(table: &Table, index: &Index, dialect: Dialect) -> String {
    let condition = index.only.map(|condition| only(table, condition, dialect)).unwrap_or_default();
    let name = quote(&table.index_name(index));
    format!("CREATE INDEX {name} ON {} ({}){condition}", quote(table.name), names(table, index.columns))
}

fn only(table: &Table, condition: Condition, dialect: Dialect) -> String {
    let name = quote(table.columns[condition.column].name);
    format!(" WHERE {name} = {}", literal(dialect, condition.equals))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{JOBS, ODDS, USERS};

    #[test]
    fn postgres() {
        let expected = r#"CREATE TABLE "users" (
    "id" uuid NOT NULL,
    "email" text COLLATE "C",
    CONSTRAINT "users_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "users_email_key" UNIQUE ("email"),
    CONSTRAINT "users_email_check" CHECK (position('@' IN "email") > 1)
);
CREATE TYPE "job_status" AS ENUM ('ON', 'it''s off');
CREATE TABLE "jobs" (
    "id" uuid NOT NULL,
    "user_id" uuid NOT NULL,
    "status" "job_status" NOT NULL DEFAULT 'ON',
    "due" timestamptz,
    "count" bigint NOT NULL DEFAULT 0,
    "name_search" text COLLATE "C" NOT NULL,
    CONSTRAINT "jobs_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "jobs_user_id_id_key" UNIQUE ("user_id", "id"),
    CONSTRAINT "jobs_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "jobs_count_check" CHECK ("count" BETWEEN -128 AND 127 AND "count" >= 0)
);
CREATE INDEX "jobs_user_id_id_idx" ON "jobs" ("user_id", "id");
CREATE INDEX "jobs_due_idx" ON "jobs" ("due") WHERE "status" = 'ON';
DO $$ BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    EXECUTE format('CREATE INDEX "jobs_trgm" ON "jobs" USING gin ("name_search" %1$s.gin_trgm_ops)',
        (SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'pg_trgm'));
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
    RAISE WARNING 'jobs is searched without an index: %', SQLERRM;
END $$;
"#;
        assert_eq!(create_schema(Dialect::Postgres, &[&JOBS, &USERS]), expected);
    }

    #[test]
    fn sqlite() {
        let expected = r#"CREATE TABLE "odds" (
    "a" TEXT NOT NULL,
    "b" INTEGER NOT NULL,
    "flag" INTEGER NOT NULL DEFAULT 1,
    "json" TEXT NOT NULL DEFAULT '{}',
    "blob" BLOB,
    "ratio" REAL NOT NULL DEFAULT 1.0,
    "url" TEXT NOT NULL,
    CONSTRAINT "odds_pkey" PRIMARY KEY ("a", "b"),
    CONSTRAINT "odds_flag_check" CHECK ("flag" IN (0, 1)),
    CONSTRAINT "odds_json_check" CHECK (json_valid("json")),
    CONSTRAINT "odds_url_check" CHECK ((substr("url", 1, 7) = 'http://' OR substr("url", 1, 8) = 'https://') AND length("url") BETWEEN 1 AND 9)
) STRICT"#;
        assert_eq!(create_table(Dialect::Sqlite, &ODDS), [expected]);
        let jobs = &create_table(Dialect::Sqlite, &JOBS)[0];
        for part in [
            r#""id" BLOB NOT NULL,"#,
            r#""status" TEXT NOT NULL DEFAULT 'ON',"#,
            r#"CHECK ("status" IN ('ON', 'it''s off'))"#,
            r#"CHECK (length("user_id") = 16)"#,
            r#"CHECK ("due" BETWEEN -62135596800000000 AND 253402300799999999)"#,
        ] {
            assert!(jobs.contains(part), "{part} in {jobs}");
        }
    }

    #[test]
    fn the_times_are_the_years_1_to_9999() {
        let times = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"];
        let times =
            times.map(|time| time.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_micros());
        assert_eq!((times[0], times[1]), TIMES);
    }
}
