//! What the assertions that `#[derive(Entity)]` writes ask, while a program is compiled.
//!
//! Loops by hand, because iterators and `==` on text are not for constants.

use std::marker::PhantomData;

use crate::{Entity, Id, Table};

/// The table of the entity that an `Id` is for.
pub const fn table_of<E: Entity>(_: PhantomData<Id<E>>) -> &'static Table {
    E::TABLE
}

/// Are the columns of these names, in this order, the primary key or a unique key?
pub const fn has_key(table: &Table, names: &[&str]) -> bool {
    let mut found = are_called(table, table.primary_key, names);
    let mut unique = 0;
    while unique < table.uniques.len() {
        found = found || are_called(table, table.uniques[unique].columns, names);
        unique += 1;
    }
    found
}

const fn are_called(table: &Table, columns: &[usize], names: &[&str]) -> bool {
    let mut equal = columns.len() == names.len();
    let mut column = 0;
    while equal && column < columns.len() {
        equal = same(table.columns[columns[column]].name, names[column]);
        column += 1;
    }
    equal
}

/// Is `text` one of `texts`?
pub const fn contains(texts: &[&str], text: &str) -> bool {
    let mut found = false;
    let mut position = 0;
    while position < texts.len() {
        found = found || same(texts[position], text);
        position += 1;
    }
    found
}

const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut equal = left.len() == right.len();
    let mut byte = 0;
    while equal && byte < left.len() {
        equal = left[byte] == right[byte];
        byte += 1;
    }
    equal
}

/// Is `left` at most `right`? A function, so that Clippy does not judge comparisons of constants in a user's code.
pub const fn at_most(left: i64, right: i64) -> bool {
    left <= right
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, ColumnType, Source, Unique};

    const fn text(name: &'static str) -> Column {
        Column {
            name,
            kind: ColumnType::Text,
            nullable: false,
            default: None,
            type_rules: &[],
            rules: &[],
            source: Source::Field,
        }
    }

    static TABLE: Table = Table {
        name: "jobs",
        entity: "Job",
        columns: &[text("id"), text("user_id"), text("name")],
        visible: 3,
        primary_key: &[0],
        uniques: &[Unique { columns: &[2] }, Unique { columns: &[1, 0] }],
        foreign_keys: &[],
        indexes: &[],
        owner: None,
        created_at: None,
        updated_at: None,
    };

    #[test]
    fn a_key_is_the_primary_key_or_a_unique_one_with_its_columns_in_order() {
        for key in [&["id"][..], &["name"], &["user_id", "id"]] {
            assert!(has_key(&TABLE, key), "{key:?}");
        }
        for other in [&["user_id"][..], &["id", "user_id"], &["user_id", "id", "name"], &["other"], &[]] {
            assert!(!has_key(&TABLE, other), "{other:?}");
        }
    }

    #[test]
    fn a_text_is_contained_when_one_is_equal() {
        assert!(contains(&["ACTIVE", "PAUSED"], "PAUSED"));
        for other in ["PAUSE", "PAUSED ", "paused", ""] {
            assert!(!contains(&["ACTIVE", "PAUSED"], other), "{other}");
        }
        assert!(!contains(&[], ""));
    }

    #[test]
    fn bounds_are_included() {
        assert!(at_most(i64::MIN, i64::MAX) && at_most(5, 5));
        assert!(!at_most(6, 5));
    }
}
