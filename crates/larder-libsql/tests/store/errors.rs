//! Each kind of error, provoked.

use std::{fs, time::Duration};

use larder_core::{
    Assign, Begin, ColumnType, Delete, Error, ErrorKind, Filter, Sql, Store, Update, Upsert, Value, Verb,
};

use crate::common::{
    CONTENT, COUNT, Fixture, JARS, LABEL, LID, LIDS, SEALED, SHELF, SHELVES, conflict, count, done, endless,
    find, id, insert, invalid_field, jar, key, open, refused, shelf, text, with,
};

fn rename(number: u128, set: Vec<(usize, Assign)>) -> Verb {
    let filter = Filter::always();
    Verb::Update(Update {
        table: &SHELVES,
        owner: None,
        key: Some(key(number)),
        filter,
        set,
        returning: false,
    })
}

#[tokio::test]
async fn conflicts_name_the_key_and_the_primary_key_first() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        for (row, field) in [
            (shelf(1, "new", Some(9)), "id"),
            (shelf(9, "top", Some(9)), "name"),
            (shelf(9, "new", Some(1)), "code"),
            (shelf(1, "top", Some(1)), "id"),
            (shelf(9, "top", Some(1)), "name"),
            (shelf(1, "new", Some(1)), "id"),
        ] {
            let error = refused(store, insert(&SHELVES, [row])).await;
            assert_eq!(*error.kind(), conflict("Shelf", field));
        }
        // Of several rows the first that fails counts, and a row of the same verb takes a key too.
        let rows =
            [shelf(2, "a", Some(2)), shelf(3, "b", Some(3)), shelf(2, "b", Some(4)), shelf(1, "top", None)];
        assert_eq!(*refused(store, insert(&SHELVES, rows)).await.kind(), conflict("Shelf", "id"));
        let rows = [shelf(2, "a", Some(2)), shelf(3, "a", Some(2)), shelf(1, "top", None)];
        assert_eq!(*refused(store, insert(&SHELVES, rows)).await.kind(), conflict("Shelf", "name"));
        // NULLs never conflict.
        done(store, insert(&SHELVES, [shelf(4, "c", None), shelf(5, "d", None)])).await;
        assert_eq!(count(store, &SHELVES).await, 3);
    }
}

#[tokio::test]
async fn conflicts_of_updates_and_upserts_name_the_key_that_another_row_holds() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        done(store, insert(&SHELVES, [shelf(2, "low", Some(2)), shelf(3, "lower", Some(3))])).await;
        let name = |to: &str| (1, Assign::Set(text(to)));
        let code = |to| (2, Assign::Set(Value::Int(to)));
        for (set, field) in [
            (vec![name("top")], "name"),
            (vec![code(1)], "code"),
            (vec![code(1), name("top")], "name"),
            // Its own name is not the conflict.
            (vec![name("low"), code(1)], "code"),
            (vec![(0, Assign::Set(id(1))), name("top"), code(3)], "id"),
        ] {
            assert_eq!(*refused(store, rename(2, set)).await.kind(), conflict("Shelf", field));
        }
        let all = Update {
            table: &SHELVES,
            owner: None,
            key: None,
            filter: Filter::always(),
            set: vec![name("same")],
            returning: true,
        };
        assert_eq!(*refused(store, Verb::Update(all)).await.kind(), conflict("Shelf", "name"));
        let upsert = |row, set| Verb::Upsert(Upsert { table: &SHELVES, row, conflict: &[1], set });
        let new = upsert(shelf(1, "new", Some(1)), vec![code(7)]);
        assert_eq!(*refused(store, new).await.kind(), conflict("Shelf", "id"));
        let there = upsert(shelf(9, "low", None), vec![code(3)]);
        assert_eq!(*refused(store, there).await.kind(), conflict("Shelf", "code"));
        assert_eq!(
            find(store, &SHELVES, 2).await.map(|row| row.into_values()),
            Some(shelf(2, "low", Some(2)))
        );
    }
}

#[tokio::test]
async fn a_missing_parent_is_named() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        let missing =
            |parent: &'static str| ErrorKind::MissingParent { entity: "Jar".into(), parent: parent.into() };
        let cases = [
            (with(jar(1), SHELF, id(9)), "Shelf"),
            (with(jar(1), LID, id(9)), "Lid"),
            (with(with(jar(1), LID, id(9)), SHELF, id(9)), "Shelf"),
        ];
        for (row, parent) in cases {
            assert_eq!(*refused(store, insert(&JARS, [jar(2), row])).await.kind(), missing(parent));
        }
        done(store, insert(&JARS, [jar(1)])).await;
        let filter = Filter::always();
        let update = |column, key| {
            let set = vec![(column, Assign::Set(id(9)))];
            Verb::Update(Update {
                table: &JARS,
                owner: None,
                key,
                filter: filter.clone(),
                set,
                returning: true,
            })
        };
        assert_eq!(*refused(store, update(LID, Some(key(1)))).await.kind(), missing("Lid"));
        assert_eq!(*refused(store, update(SHELF, None)).await.kind(), missing("Shelf"));
        let set = vec![(LID, Assign::Set(id(9)))];
        let upsert = Verb::Upsert(Upsert { table: &JARS, row: jar(1), conflict: &[0], set });
        assert_eq!(*refused(store, upsert).await.kind(), missing("Lid"));
        // Here it is the children that would be left.
        let moved = rename(1, vec![(0, Assign::Set(id(7)))]);
        let left_behind = ErrorKind::MissingParent { entity: "row".into(), parent: "Shelf".into() };
        assert_eq!(*refused(store, moved).await.kind(), left_behind);
        assert_eq!(count(store, &JARS).await, 1);
    }
}

#[tokio::test]
async fn values_that_break_a_rule_name_their_column() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        for (column, value, field) in [
            (LABEL, Value::Null, "label"),
            (LABEL, text(""), "label"),
            (LABEL, text("x".repeat(21)), "label"),
            (LABEL, text("NUL \0"), "label"),
            (COUNT, Value::Int(-11), "count"),
            (COUNT, text("three"), "count"),
            (SEALED, Value::Int(1), "sealed"),
        ] {
            let error = refused(store, insert(&JARS, [jar(2), with(jar(1), column, value)])).await;
            assert_eq!(invalid_field(&error), field);
        }
        done(store, insert(&JARS, [jar(1)])).await;
        let set = vec![(COUNT, Assign::Add(-14))];
        let below = Update {
            table: &JARS,
            owner: None,
            key: Some(key(1)),
            filter: Filter::always(),
            set: set.clone(),
            returning: false,
        };
        assert_eq!(invalid_field(&refused(store, Verb::Update(below.clone())).await), "count");
        let without_key = Update { key: None, ..below };
        assert_eq!(*refused(store, Verb::Update(without_key)).await.kind(), ErrorKind::Unsupported);
        assert_eq!(count(store, &JARS).await, 1);
    }
}

/// What core would have refused, and SQLite refuses by type.
#[tokio::test]
async fn a_strict_table_refuses_a_wrong_type_with_the_column() {
    let fixture = Fixture::file("").await;
    fixture
        .store
        .sql(Sql::portable("DROP TABLE lids; CREATE TABLE lids (id INTEGER) STRICT"))
        .await
        .expect("table");
    let error = refused(&fixture.store, insert(&LIDS, [vec![id(1)]])).await;
    assert_eq!(invalid_field(&error), "id");
}

#[tokio::test]
async fn a_database_without_the_tables_says_to_migrate() {
    for url in ["memory:", "file:"] {
        let directory = tempfile::tempdir().expect("a directory");
        let url = if url == "file:" { crate::common::url(directory.path()) } else { url.to_owned() };
        let store = open(&url).await.expect("open");
        for verb in [crate::common::get(&JARS, 1), insert(&JARS, [jar(1)])] {
            let error = refused(&store, verb).await;
            assert_eq!(*error.kind(), ErrorKind::Schema);
            assert!(error.context().contains("migrate()"));
        }
        store.sql(Sql::portable("CREATE TABLE jars (id BLOB)")).await.expect("table");
        assert_eq!(*refused(&store, crate::common::get(&JARS, 1)).await.kind(), ErrorKind::Schema);
        assert_eq!(*refused(&store, insert(&JARS, [jar(1)])).await.kind(), ErrorKind::Schema);
    }
}

#[tokio::test]
async fn a_full_disk_keeps_what_was_acknowledged() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        done(store, insert(&JARS, [jar(1)])).await;
        store.sql(Sql::portable("PRAGMA max_page_count = 40")).await.expect("limit");
        let large = with(jar(2), CONTENT, Value::Json(serde_json::Value::String("x".repeat(1 << 20))));
        assert_eq!(*refused(store, insert(&JARS, [large])).await.kind(), ErrorKind::Full);
        assert_eq!(count(store, &JARS).await, 1);
        done(store, insert(&JARS, [jar(3)])).await;
        assert_eq!(count(store, &JARS).await, 2);
    }
}

#[tokio::test]
async fn a_file_that_was_damaged_is_corrupt() {
    let fixture = Fixture::file("").await;
    done(&fixture.store, insert(&JARS, (1..=200).map(jar).collect::<Vec<_>>())).await;
    let roots = "SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'jars' AND rootpage > 0";
    let roots =
        fixture.store.sql(Sql::portable(roots).returning([ColumnType::Int])).await.expect("roots").rows;
    fixture.store.close().await.expect("close");
    let path = fixture.directory.as_ref().expect("a file").path().join("test.db");
    let mut bytes = fs::read(&path).expect("read");
    // Not what holds the header and the schema.
    for root in roots {
        let Some(Value::Int(number)) = root.get(0) else { panic!("a page without a number") };
        bytes[4096 * (*number as usize - 1)..][..4096].fill(0xAA);
    }
    fs::write(&path, bytes).expect("write");
    let store = fixture.again("").await;
    let error = refused(&store, crate::common::count_of(&JARS)).await;
    assert_eq!(*error.kind(), ErrorKind::Corrupt { entity: "database".into(), field: "".into() });
}

#[tokio::test]
async fn a_value_larger_than_sqlite_takes_is_too_large() {
    let fixture = Fixture::file("").await;
    let sql = Sql::portable("SELECT zeroblob(2000000000)").returning([ColumnType::Bytes]);
    let error = fixture.store.sql(sql).await.expect_err("too large");
    assert_eq!(*error.kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_statement_is_stopped_at_the_deadline() {
    for fixture in Fixture::both("timeout=300ms").await {
        let begun = std::time::Instant::now();
        let error = fixture.store.sql(endless()).await.expect_err("endless");
        assert_eq!(*error.kind(), ErrorKind::Timeout);
        assert!(begun.elapsed() < Duration::from_secs(20), "it ended after {:?}", begun.elapsed());
        // A write, stopped in the middle, has written nothing.
        let write = "INSERT INTO lids WITH RECURSIVE n (x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) \
                     SELECT randomblob(16) FROM n";
        let error = fixture.store.sql(Sql::portable(write)).await.expect_err("endless");
        assert_eq!(*error.kind(), ErrorKind::Timeout);
        assert_eq!(count(&fixture.store, &LIDS).await, 1);
    }
}

#[tokio::test]
async fn a_lock_of_another_handle_is_busy_and_never_a_conflict() {
    let fixture = Fixture::file("").await;
    let other = fixture.again("busy_timeout=50ms").await;
    let mut holder = fixture.store.begin(Begin::Serializable).await.expect("begin");
    holder.execute(insert(&JARS, [jar(1)])).await.expect("insert");
    let error = refused(&other, insert(&JARS, [jar(1)])).await;
    assert_eq!(*error.kind(), ErrorKind::Busy);
    assert!(error.is_retryable());
    assert_eq!(*other.begin(Begin::Serializable).await.expect_err("locked").kind(), ErrorKind::Busy);
    let script = Sql::portable("DELETE FROM jars");
    assert_eq!(*other.sql(script).await.expect_err("locked").kind(), ErrorKind::Busy);
    // Readers see the state before.
    assert_eq!(count(&other, &JARS).await, 0);
    holder.commit().await.expect("commit");
    assert_eq!(*refused(&other, insert(&JARS, [jar(1)])).await.kind(), conflict("Jar", "id"));
}

#[tokio::test]
async fn a_name_in_memory_is_locked_by_its_other_handle() {
    let first = open("memory:locked").await.expect("open");
    crate::common::create(&first).await;
    let second = open("memory:locked?busy_timeout=50ms").await.expect("open");
    let mut holder = first.begin(Begin::Serializable).await.expect("begin");
    holder.execute(insert(&JARS, [jar(1)])).await.expect("insert");
    assert_eq!(*refused(&second, insert(&JARS, [jar(2)])).await.kind(), ErrorKind::Busy);
    assert_eq!(*refused(&second, crate::common::count_of(&JARS)).await.kind(), ErrorKind::Busy);
    holder.commit().await.expect("commit");
    done(&second, insert(&JARS, [jar(2)])).await;
    assert_eq!(count(&first, &JARS).await, 2);
}

#[tokio::test]
async fn a_closed_store_answers_closed() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        store.close().await.expect("close");
        store.close().await.expect("close again");
        let closed = |error: Error| assert_eq!(*error.kind(), ErrorKind::Closed);
        closed(refused(store, insert(&JARS, [jar(1)])).await);
        closed(refused(store, crate::common::count_of(&JARS)).await);
        closed(store.begin(Begin::Serializable).await.expect_err("closed"));
        closed(store.sql(endless()).await.expect_err("closed"));
        closed(store.health().await.expect_err("closed"));
        closed(
            store.run(larder_core::Unit::default().then(insert(&JARS, [jar(1)]))).await.expect_err("closed"),
        );
    }
}

#[tokio::test]
async fn a_delete_that_returns_a_row_it_cannot_read_deletes_nothing() {
    let fixture = Fixture::file("").await;
    let store = &fixture.store;
    let loose = "DROP TABLE shelves; CREATE TABLE shelves (id UNIQUE, name, code); INSERT INTO shelves VALUES (7, 'seven', 7)";
    store.sql(Sql::portable(loose)).await.expect("a table that takes anything");
    let filter = Filter::always();
    let delete = Verb::Delete(Delete {
        table: &SHELVES,
        owner: None,
        key: None,
        filter,
        limit: None,
        returning: true,
    });
    let error = refused(store, delete).await;
    assert_eq!(*error.kind(), ErrorKind::Corrupt { entity: "Shelf".into(), field: "id".into() });
    assert_eq!(count(store, &SHELVES).await, 1);
}
