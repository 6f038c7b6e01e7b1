//! Open transactions.

use larder_core::{Begin, ErrorKind, Sql, Store, Transaction};

use crate::common::{
    Fixture, JARS, LABEL, SHELF, SHELVES, begun, conflict, count, count_of, done, get, insert, jar, shelf,
    text, with,
};

async fn begin(fixture: &Fixture) -> Box<dyn Transaction> {
    fixture.store.begin(Begin::Serializable).await.expect("begin")
}

#[tokio::test]
async fn commit_keeps_and_rollback_and_drop_undo() {
    for fixture in Fixture::both("").await {
        let mut transaction = begin(&fixture).await;
        transaction.execute(insert(&JARS, [jar(1)])).await.expect("insert");
        assert_eq!(transaction.execute(count_of(&JARS)).await.expect("own write").rows(), 1);
        transaction.commit().await.expect("commit");
        assert_eq!(count(&fixture.store, &JARS).await, 1);

        let mut transaction = begin(&fixture).await;
        transaction.execute(insert(&JARS, [jar(2)])).await.expect("insert");
        transaction.rollback().await.expect("rollback");
        assert_eq!(count(&fixture.store, &JARS).await, 1);

        let mut transaction = begin(&fixture).await;
        transaction.execute(insert(&JARS, [jar(3)])).await.expect("insert");
        drop(transaction);
        // The writer is free again, without what was dropped.
        done(&fixture.store, insert(&JARS, [jar(3)])).await;
        assert_eq!(count(&fixture.store, &JARS).await, 2);
    }
}

#[tokio::test]
async fn reads_of_a_file_see_the_state_before() {
    let fixture = Fixture::file("").await;
    let mut transaction = begin(&fixture).await;
    transaction.execute(insert(&JARS, [jar(1)])).await.expect("insert");
    assert_eq!(count(&fixture.store, &JARS).await, 0);
    transaction.commit().await.expect("commit");
    assert_eq!(count(&fixture.store, &JARS).await, 1);
}

#[tokio::test]
async fn reads_in_memory_wait_for_the_end() {
    let fixture = Fixture::memory("").await;
    let mut transaction = begin(&fixture).await;
    transaction.execute(insert(&JARS, [jar(1)])).await.expect("insert");
    let reading = begun(fixture.store.execute(count_of(&JARS)));
    transaction.commit().await.expect("commit");
    assert_eq!(reading.await.expect("count").rows(), 1);
}

#[tokio::test]
async fn after_a_conflict_it_goes_on_without_that_verb() {
    for fixture in Fixture::both("").await {
        let mut transaction = begin(&fixture).await;
        transaction.execute(insert(&JARS, [jar(1)])).await.expect("insert");
        // In several statements, the last of which fails.
        let mut many: Vec<_> = (2..=500).map(jar).collect();
        many.push(with(jar(501), LABEL, text("jar 1")));
        let error = transaction.execute(insert(&JARS, many)).await.expect_err("conflict");
        assert_eq!(*error.kind(), conflict("Jar", "user_id, label"));
        assert_eq!(transaction.execute(count_of(&JARS)).await.expect("count").rows(), 1);
        transaction.execute(insert(&JARS, [jar(2)])).await.expect("insert");
        transaction.commit().await.expect("commit");
        assert_eq!(count(&fixture.store, &JARS).await, 2);
    }
}

#[tokio::test]
async fn others_answer_busy_by_their_deadline_and_are_never_executed() {
    for fixture in Fixture::both("timeout=200ms").await {
        let store = &fixture.store;
        let mut transaction = begin(&fixture).await;
        transaction.execute(insert(&JARS, [jar(1)])).await.expect("insert");
        let error = store.execute(insert(&JARS, [jar(2)])).await.expect_err("busy");
        assert_eq!(*error.kind(), ErrorKind::Busy);
        assert!(error.context().contains("transaction is open"), "{error}");
        assert_eq!(*store.begin(Begin::Serializable).await.expect_err("busy").kind(), ErrorKind::Busy);
        assert_eq!(
            *store.sql(Sql::portable("DELETE FROM shelves")).await.expect_err("busy").kind(),
            ErrorKind::Busy
        );
        transaction.commit().await.expect("commit");
        // By the time this is done, the writer has passed over those.
        done(store, insert(&JARS, [jar(3)])).await;
        assert_eq!((count(store, &JARS).await, count(store, &SHELVES).await), (2, 1));
    }
}

#[tokio::test]
async fn the_next_transaction_begins_when_the_first_has_ended() {
    for fixture in Fixture::both("").await {
        let mut first = begin(&fixture).await;
        first.execute(insert(&JARS, [jar(1)])).await.expect("insert");
        let second = begun(fixture.store.begin(Begin::Schema));
        first.commit().await.expect("commit");
        let mut second = second.await.expect("begin");
        assert_eq!(second.execute(count_of(&JARS)).await.expect("count").rows(), 1);
        second.sql(Sql::portable("ALTER TABLE jars ADD COLUMN extra TEXT")).await.expect("alter");
        second.rollback().await.expect("rollback");
        let third = fixture.store.sql(Sql::portable("ALTER TABLE jars ADD COLUMN extra TEXT")).await;
        third.expect("the column was not there");
    }
}

#[tokio::test]
async fn a_schema_change_is_seen_by_statements_prepared_before() {
    let fixture = Fixture::file("").await;
    let other = fixture.again("").await;
    done(&fixture.store, insert(&JARS, [jar(1)])).await;
    for store in [&fixture.store, &other] {
        done(store, get(&JARS, 1)).await;
    }
    let rebuild = "ALTER TABLE jars ADD COLUMN extra TEXT NOT NULL DEFAULT 'x'; CREATE INDEX jars_extra ON jars (extra)";
    fixture.store.sql(Sql::portable(rebuild)).await.expect("alter");
    for store in [&fixture.store, &other] {
        assert_eq!(done(store, get(&JARS, 1)).await.rows(), 1);
    }
}

#[tokio::test]
async fn an_open_transaction_outlives_the_handle_that_opened_it() {
    let fixture = Fixture::file("").await;
    let again = fixture.again("").await;
    let Fixture { store, directory: _directory } = fixture;
    let mut transaction = store.begin(Begin::Serializable).await.expect("begin");
    drop(store);
    transaction.execute(insert(&SHELVES, [shelf(2, "low", None)])).await.expect("insert");
    transaction.commit().await.expect("commit");
    assert_eq!(count(&again, &SHELVES).await, 2);
}

/// SQLite's way to alter a table: build it anew. The children of a parent that is replaced stay.
#[tokio::test]
async fn a_parent_table_is_rebuilt_without_losing_its_children() {
    const REBUILD: &str =
        "CREATE TABLE shelves_new (id BLOB NOT NULL PRIMARY KEY, name TEXT NOT NULL, code INTEGER) STRICT;
        INSERT INTO shelves_new SELECT id, name, code FROM shelves;
        DROP TABLE shelves;
        ALTER TABLE shelves_new RENAME TO shelves;";
    for fixture in Fixture::both("").await {
        done(&fixture.store, insert(&JARS, [jar(1), jar(2)])).await;
        let mut schema = fixture.store.begin(Begin::Schema).await.expect("begin");
        schema.sql(Sql::portable(REBUILD)).await.expect("rebuild");
        schema.commit().await.expect("commit");
        assert_eq!(count(&fixture.store, &JARS).await, 2);
        // Foreign keys are enforced again.
        let orphan = with(jar(3), SHELF, larder_core::Value::Uuid(uuid::Uuid::from_u128(404)));
        let refused = fixture.store.execute(insert(&JARS, [orphan])).await.expect_err("no such shelf");
        assert!(matches!(refused.kind(), ErrorKind::MissingParent { .. }), "{refused}");
    }
}

#[tokio::test]
async fn a_change_of_the_schema_that_orphans_rows_is_not_committed() {
    for fixture in Fixture::both("").await {
        done(&fixture.store, insert(&JARS, [jar(1)])).await;
        let mut schema = fixture.store.begin(Begin::Schema).await.expect("begin");
        schema.sql(Sql::portable("DELETE FROM shelves")).await.expect("deletes");
        let refused = schema.commit().await.expect_err("a jar without a shelf");
        let kind = ErrorKind::MissingParent { entity: "jars".into(), parent: "shelves".into() };
        assert_eq!(refused.kind(), &kind);
        assert_eq!((count(&fixture.store, &SHELVES).await, count(&fixture.store, &JARS).await), (1, 1));
    }
}
