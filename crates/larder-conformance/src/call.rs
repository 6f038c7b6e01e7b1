//! Calls on a store as data: past core, and the same for several stores.

use std::fmt::{self, Debug};

use larder::{
    Assign, Error, ErrorKind, Filter, Insert, Key, Result, Store, Table, Unit, Update, Value, Verb,
};
use uuid::Uuid;

/// What one caller asks of a store.
#[derive(Clone, PartialEq)]
pub(crate) enum Call {
    /// By [`Store::execute`].
    Verb(Verb),
    /// By [`Store::run`].
    Unit(Unit),
}

impl Call {
    /// Sends it; gives what was [`shown`] as the answer.
    pub(crate) async fn send(self, store: &dyn Store) -> String {
        match self {
            Self::Verb(verb) => shown(&store.execute(verb).await),
            Self::Unit(unit) => shown(&store.run(unit).await),
        }
    }
}

/// Names the tables, in place of all that is known about them.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Verb(verb) => format!("{verb:?}"),
            Self::Unit(unit) => format!("{unit:?}"),
        };
        let mut parts = text.split("table: Table { name: ");
        f.write_str(parts.next().unwrap_or_default())?;
        parts.try_for_each(|part| {
            let (name, rest) = part.split_once(',').unwrap_or((part, ""));
            write!(f, "table: {name}{}", after_the_brace(rest))
        })
    }
}

/// What follows the brace that closes the one before this text.
fn after_the_brace(text: &str) -> &str {
    let mut open = 1;
    let end = text.find(|character| {
        open += match character {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        open == 0
    });
    end.map_or("", |end| &text[end + 1..])
}

/// An answer, in a form that is the same when it means the same.
pub(crate) fn shown<T: Debug>(result: &Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => shown_error(error),
    }
}

/// As [`shown`].
pub(crate) fn shown_error(error: &Error) -> String {
    match error.kind() {
        // The reason is for people; core and a database may word it differently.
        ErrorKind::Invalid { entity, field, .. } => format!("Invalid {entity}.{field}"),
        kind => format!("{kind:?}"),
    }
}

/// The verb that creates a row, with another value in one of its columns.
///
/// # Panics
/// When the verb creates none.
pub(crate) fn with_value(creation: Verb, column: usize, value: Value) -> Verb {
    let Verb::Insert(Insert { table, mut rows }) = creation else { panic!("{creation:?} creates nothing") };
    rows[0][column] = value;
    Verb::Insert(Insert { table, rows })
}

/// The primary key of a table whose first column is the id.
pub(crate) fn by_id(id: Uuid) -> Key {
    Key { columns: &[0], values: vec![Value::Uuid(id)] }
}

/// Sets a column of the row with this id, whoever's it is.
pub(crate) fn setting(table: &'static Table, id: Uuid, column: usize, value: Value) -> Verb {
    let set = vec![(column, Assign::Set(value))];
    Verb::Update(Update {
        table,
        owner: None,
        key: Some(by_id(id)),
        filter: Filter::always(),
        set,
        returning: false,
    })
}
