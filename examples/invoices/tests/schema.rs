//! The migrations are what the entities say: neither changes without the other.

// Clippy takes functions beside the tests for production code.
#![allow(clippy::expect_used)]

use larder::{Dialect, create_schema};

/// A script without the comment above it.
fn below_the_comment(script: &str) -> &str {
    let (comment, statements) = script.split_once("\n\n").expect("a comment, an empty line, statements");
    assert!(comment.lines().all(|line| line.starts_with("--")), "{comment}");
    statements
}

#[test]
fn the_migration_holds_exactly_what_create_schema_prints() {
    let migrations = invoices::migrations();
    let [first] = migrations.steps() else { panic!("one migration, not {}", migrations.steps().len()) };
    for (dialect, script) in [(Dialect::Postgres, &first.postgres), (Dialect::Sqlite, &first.sqlite)] {
        let expected = create_schema(dialect, invoices::TABLES);
        assert!(below_the_comment(script) == expected, "{dialect:?}: create_schema prints\n{expected}");
    }
}
