//! What to say when a step failed.

use std::{error::Error as _, sync::Arc};

use larder_core::{ColumnType, Error, ErrorKind, Migration, Migrations, Result, Sql, Store, Value};

use crate::boundary::Boundary;

/// The error of a step whose script failed and was rolled back. One that may be tried again stays as it is.
pub(crate) async fn failed(
    store: &Arc<dyn Store>,
    set: &Migrations,
    step: &Migration,
    boundary: &Boundary,
    is_first: bool,
    error: Error,
) -> Error {
    // When the database cannot be asked, the script's error is still the one to report.
    if boundary.was_crossed(store).await.unwrap_or(false) {
        return crossed(set, step).with_source(error);
    }
    if error.is_retryable() {
        return error;
    }
    let there = if is_first { tables_in_the_way(store, step).await.unwrap_or_default() } else { Vec::new() };
    let failed = format!("{} failed and was undone", set.describe(step));
    let what = if there.is_empty() {
        format!("{failed}; the steps before it stay: {}. Mend its cause and migrate again", cause(&error))
    } else {
        format!(
            "{failed}: the database already has {}, but its ledger has no step of `{}`, so they were not made by these \
             migrations, or the ledger was lost: migrate an empty database, or rename or drop these tables",
            there.join(", "),
            set.source(),
        )
    };
    Error::new(ErrorKind::Migration, what).with_source(error)
}

/// The error of a step whose script ended the transaction.
pub(crate) fn crossed(set: &Migrations, step: &Migration) -> Error {
    let what = format!(
        "{} ended the transaction that it ran in, so that what it did is in the database and not in the ledger: undo it by \
         hand, take BEGIN, COMMIT and ROLLBACK out of the script, and migrate again",
        set.describe(step),
    );
    Error::new(ErrorKind::Migration, what)
}

/// What the database said, in one line: drivers repeat whole scripts.
fn cause(error: &Error) -> String {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    let cause = cause.lines().next().unwrap_or_default();
    let said = error.to_string();
    match error.kind() {
        // Its advice is to migrate, which is what failed.
        ErrorKind::Schema if !cause.is_empty() => cause.to_owned(),
        _ if cause.is_empty() || said.contains(cause) => said,
        _ => format!("{said}: {cause}"),
    }
}

/// The tables that a script creates and that are there already.
async fn tables_in_the_way(store: &Arc<dyn Store>, step: &Migration) -> Result<Vec<String>> {
    let sql = Sql::new(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename",
        "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name",
    );
    let rows = store.sql(sql.returning([ColumnType::Text])).await?.rows;
    let created: Vec<_> = created_tables(&step.postgres).chain(created_tables(&step.sqlite)).collect();
    let names = rows.into_iter().filter_map(|row| match row.into_values().pop() {
        Some(Value::Text(name)) => Some(name),
        _ => None,
    });
    Ok(names.filter(|name| created.contains(&name.as_str())).collect())
}

/// The words that follow `CREATE TABLE`: good enough to explain an error that happened.
fn created_tables(script: &str) -> impl Iterator<Item = &str> {
    let is_separator = |character: char| !(character.is_alphanumeric() || character == '_');
    let words: Vec<_> = script.split(is_separator).filter(|word| !word.is_empty()).collect();
    let mut created = Vec::new();
    for three in words.windows(3) {
        if three[0].eq_ignore_ascii_case("create") && three[1].eq_ignore_ascii_case("table") {
            created.push(three[2]);
        }
    }
    created.into_iter()
}
