//! Values and statements as the Hrana protocol has them.

use bytes::Bytes;
use larder_core::{ColumnType, Error, Outcome, Row, Value};
use larder_sql::{Rendered, Returns};
use libsql_hrana::proto::{self, Stmt, StmtResult};
use rusqlite::{
    ToSql,
    types::{ToSqlOutput, ValueRef},
};

use crate::{
    statement::{Failure, values},
    value::{Param, read, wrong},
};

/// A statement with its values.
pub(crate) fn statement(rendered: &Rendered) -> Stmt {
    let mut statement = bare(&rendered.text, rendered.returns != Returns::Affected);
    statement.args = rendered.binds.iter().flat_map(values).map(to_wire).collect();
    statement
}

/// A statement without values.
pub(crate) fn bare(text: &str, want_rows: bool) -> Stmt {
    Stmt::new(text, want_rows)
}

/// A value as SQLite keeps it.
pub(crate) fn to_wire(value: &Value) -> proto::Value {
    // It is only copied here: nothing in it can fail.
    match Param(value).to_sql() {
        Ok(ToSqlOutput::Borrowed(value)) => from_ref(value),
        Ok(ToSqlOutput::Owned(value)) => from_ref(ValueRef::from(&value)),
        Ok(_) | Err(_) => proto::Value::Null,
    }
}

fn from_ref(value: ValueRef<'_>) -> proto::Value {
    match value {
        ValueRef::Null => proto::Value::Null,
        ValueRef::Integer(value) => proto::Value::Integer { value },
        ValueRef::Real(value) => proto::Value::Float { value },
        ValueRef::Text(text) => proto::Value::Text { value: String::from_utf8_lossy(text).into() },
        ValueRef::Blob(bytes) => proto::Value::Blob { value: Bytes::copy_from_slice(bytes) },
    }
}

fn to_ref(value: &proto::Value) -> ValueRef<'_> {
    match value {
        proto::Value::None | proto::Value::Null => ValueRef::Null,
        proto::Value::Integer { value } => ValueRef::Integer(*value),
        proto::Value::Float { value } => ValueRef::Real(*value),
        proto::Value::Text { value } => ValueRef::Text(value.as_bytes()),
        proto::Value::Blob { value } => ValueRef::Blob(value),
    }
}

/// What a statement answered, `Rows` or `Count`, as its `returns` says.
pub(crate) fn outcome(returns: &Returns, result: StmtResult) -> Result<Outcome, Failure> {
    match returns {
        Returns::Affected => Ok(Outcome::Count(result.affected_row_count)),
        Returns::Visible(table) | Returns::Numbered(table) => {
            let columns = table.visible();
            let kinds = columns.iter().map(|column| column.kind);
            let corrupt = |position: usize| Error::corrupt(table.entity, columns[position].name);
            rows(result.rows, kinds, corrupt).map(Outcome::Rows)
        }
        Returns::Types(types) => {
            let corrupt = |_| Error::corrupt("database", "");
            rows(result.rows, types.iter().copied(), corrupt).map(Outcome::Rows)
        }
    }
}

/// The rows, whose columns are of these types; as [`fetch`](crate::statement::fetch).
pub(crate) fn rows(
    found: Vec<proto::Row>,
    kinds: impl ExactSizeIterator<Item = ColumnType> + Clone,
    corrupt: impl Fn(usize) -> Error,
) -> Result<Vec<Row>, Failure> {
    let row = |found: proto::Row| {
        let values = kinds.clone().enumerate().map(|(position, kind)| {
            let value = found.values.get(position).map_or(ValueRef::Null, to_ref);
            read(kind, value)
                .ok_or_else(|| Failure::Other(corrupt(position).with_context(wrong(kind, value))))
        });
        values.collect::<Result<Vec<_>, _>>().map(Row::new)
    };
    found.into_iter().map(row).collect()
}
