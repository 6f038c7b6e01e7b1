//! Get, select and count.

use larder_core::{ColumnType, Count, Filter, Get, Select, Value};

use crate::{Dialect, Returns, Statement, writer::Writer};

/// How long a row that was read stays as it is. PostgreSQL only: on SQLite a writer is alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Nobody changes it until the transaction has ended.
    Share,
    /// As `Share`, and nobody else locks it: for a row that the transaction may change itself, because two that both
    /// changed what they share would deadlock.
    Update,
}

/// The statement of a [`Get`]: one row or none.
pub fn get(dialect: Dialect, get: &Get) -> Statement {
    get_with(dialect, get, "")
}

/// As [`get`] on PostgreSQL, and the row is locked until the transaction has ended.
pub fn get_locked(get: &Get, lock: Lock) -> Statement {
    let clause = match lock {
        Lock::Share => " FOR SHARE",
        Lock::Update => " FOR NO KEY UPDATE",
    };
    get_with(Dialect::Postgres, get, clause)
}

fn get_with(dialect: Dialect, get: &Get, lock: &str) -> Statement {
    let mut writer = Writer::new(dialect, get.table);
    select_visible(&mut writer);
    writer.conditions(Some(&get.key), get.owner, &Filter::always());
    writer.push(lock);
    writer.finish(Returns::Visible(get.table))
}

/// The statement of a [`Select`].
pub fn select(dialect: Dialect, select: &Select) -> Statement {
    let mut writer = Writer::new(dialect, select.table);
    select_visible(&mut writer);
    writer.conditions(None, select.owner, &select.filter);
    if let Some(position) = &select.after {
        writer.push(" AND ");
        writer.after(&select.order, position);
    }
    writer.order(&select.order);
    limit(&mut writer, select);
    writer.finish(Returns::Visible(select.table))
}

fn select_visible(writer: &mut Writer) {
    writer.push("SELECT ");
    writer.visible();
    writer.push(" FROM ");
    writer.table_name();
}

fn limit(writer: &mut Writer, select: &Select) {
    // The limit is part of the text, so that the planner knows how little is wanted. Past i64::MAX there are no rows.
    if let Some(limit) = select.limit {
        writer.push(" LIMIT ");
        writer.number(limit.min(i64::MAX as u64));
    } else if select.offset > 0 && writer.dialect == Dialect::Sqlite {
        // SQLite has no OFFSET without LIMIT.
        writer.push(" LIMIT -1");
    }
    if select.offset > 0 {
        writer.push(" OFFSET ");
        writer.bind(ColumnType::Int, Value::Int(i64::try_from(select.offset).unwrap_or(i64::MAX)));
    }
}

/// The statement of a [`Count`]: one row with one `Int`.
pub fn count(dialect: Dialect, count: &Count) -> Statement {
    let mut writer = Writer::new(dialect, count.table);
    writer.push("SELECT count(*) FROM ");
    writer.table_name();
    writer.conditions(None, count.owner, &count.filter);
    writer.finish(Returns::Types(vec![ColumnType::Int]))
}
