//! What the ledger holds, and who shares it.

use larder_core::{ErrorKind, Migrations, Sql};
use larder_migrate::{LedgerEntry, status};

use crate::databases::{Database, clock, ledger, migrate, names, notes, number, on_both};

on_both!(
    from_empty_to_latest_twice,
    status_changes_nothing,
    an_entry_tells_what_was_applied_and_when,
    sources_share_the_ledger,
    line_endings_do_not_count,
    tables_without_a_ledger_are_named,
    a_first_step_that_fails_for_another_reason_blames_no_table,
);

async fn from_empty_to_latest_twice(database: Database) {
    let store = database.open().await;
    let set = [notes()];
    let all = ["notes 0001_create", "notes 0002_fill", "notes 0003_shout"];
    assert_eq!(names(migrate(&store, &set).await.unwrap()), all);
    assert_eq!(number(&store, "SELECT count(*) FROM notes WHERE text IN ('one!', 'two!')").await, 2);

    assert!(migrate(&store, &set).await.unwrap().is_empty());
    assert_eq!(number(&store, "SELECT count(*) FROM notes WHERE text IN ('one!', 'two!')").await, 2);
    assert_eq!(ledger(&store).await, ["notes 1 create", "notes 2 fill", "notes 3 shout"]);
    let status = status(&store, &set).await.unwrap();
    assert_eq!((status.applied.len(), status.pending.len()), (3, 0));
}

async fn status_changes_nothing(database: Database) {
    let store = database.open().await;
    let status = status(&store, &[notes()]).await.unwrap();
    assert!(status.applied.is_empty());
    assert_eq!(status.pending, ["notes 0001_create", "notes 0002_fill", "notes 0003_shout"]);
    let error = store.sql(Sql::portable("DELETE FROM larder_migrations")).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Schema);
}

async fn an_entry_tells_what_was_applied_and_when(database: Database) {
    let store = database.open().await;
    let set = notes();
    let applied = migrate(&store, std::slice::from_ref(&set)).await.unwrap();
    let entries = status(&store, std::slice::from_ref(&set)).await.unwrap().applied;
    let at = chrono::DateTime::from_timestamp_micros(1_767_323_045_678_901).unwrap();
    for ((entry, step), applied) in entries.iter().zip(set.steps()).zip(applied) {
        let expected = LedgerEntry {
            source: "notes".to_owned(),
            number: step.number.into(),
            name: step.name.to_string(),
            checksum: step.checksum(),
            applied_at: at,
            duration_us: i64::try_from(applied.duration.as_micros()).unwrap(),
        };
        assert_eq!(*entry, expected);
        assert!(entry.duration_us >= 0);
        assert_eq!(entry.checksum.len(), 64);
    }
    assert_eq!(entries.len(), 3);
}

async fn sources_share_the_ledger(database: Database) {
    let store = database.open().await;
    let other =
        |set: Migrations| set.then("tags", "CREATE TABLE tags (n bigint)", "CREATE TABLE tags (n INTEGER)");
    let sets = [notes(), other(Migrations::new("tags"))];
    let all = ["notes 0001_create", "notes 0002_fill", "notes 0003_shout", "tags 0001_tags"];
    assert_eq!(names(migrate(&store, &sets).await.unwrap()), all);
    assert_eq!(ledger(&store).await, ["notes 1 create", "notes 2 fill", "notes 3 shout", "tags 1 tags"]);

    // A program that brings one of them is not troubled by the other, and each goes on by itself.
    assert!(migrate(&store, &sets[1..]).await.unwrap().is_empty());
    let more = [sets[0].clone(), sets[1].clone().then("empty", "DELETE FROM tags", "DELETE FROM tags")];
    assert_eq!(names(migrate(&store, &more).await.unwrap()), ["tags 0002_empty"]);
}

async fn line_endings_do_not_count(database: Database) {
    let store = database.open().await;
    let with = |end: &str| {
        let script = format!("CREATE TABLE lines{end}(n bigint);{end}");
        let strict = format!("CREATE TABLE lines{end}(n INTEGER) STRICT;{end}");
        [Migrations::new("lines").then("create", script, strict)]
    };
    migrate(&store, &with("\r\n")).await.unwrap();
    assert!(migrate(&store, &with("\n")).await.unwrap().is_empty());
    migrate(&store, &with("\r")).await.expect_err("a carriage return alone is no line ending");
}

async fn tables_without_a_ledger_are_named(database: Database) {
    let store = database.open().await;
    store
        .sql(Sql::portable("CREATE TABLE notes (n integer); CREATE TABLE unrelated (n integer)"))
        .await
        .unwrap();

    let error = migrate(&store, &[notes()]).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Migration);
    assert_eq!(
        error.context(),
        "notes 0001_create failed and was undone: the database already has notes, but its ledger has no step of `notes`, \
         so they were not made by these migrations, or the ledger was lost: migrate an empty database, or rename or drop \
         these tables"
    );
    // Done what it says.
    store.sql(Sql::portable("DROP TABLE notes")).await.unwrap();
    assert_eq!(migrate(&store, &[notes()]).await.unwrap().len(), 3);
}

async fn a_first_step_that_fails_for_another_reason_blames_no_table(database: Database) {
    let store = database.open().await;
    migrate(&store, &[notes()]).await.unwrap();
    let script = "CREATE TABLE tags (n integer); INSERT INTO notes VALUES (NULL, NULL)";
    let error = migrate(&store, &[Migrations::new("tags").then("tags", script, script)]).await.unwrap_err();
    assert!(!error.context().contains("already has"), "{error}");
    assert!(error.context().starts_with("tags 0001_tags failed and was undone; the steps before it stay: "));
}

#[tokio::test]
async fn a_store_without_sql_has_nothing_to_migrate() {
    let store: std::sync::Arc<dyn larder_core::Store> =
        std::sync::Arc::new(larder_core::MemoryStore::new([]).unwrap());
    assert!(larder_migrate::migrate(&store, &clock(), &[notes()]).await.unwrap().is_empty());
    assert_eq!(status(&store, &[notes()]).await.unwrap(), larder_migrate::Status::default());
}
