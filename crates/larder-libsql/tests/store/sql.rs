//! The escape hatch.

use larder_core::{Begin, ColumnType, ErrorKind, Row, Sql, Store, Value};

use crate::common::{Fixture, JARS, SHELVES, count, done, id, insert, invalid_field, jar, shelf, text};

fn one(sqlite: &'static str) -> Sql {
    Sql::new("", sqlite)
}

#[tokio::test]
async fn statements_bind_and_return_by_type() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        let read = one("SELECT id, name, code = 1, ?1 FROM shelves WHERE name = ?2")
            .bind(ColumnType::Float, Value::Float(0.5))
            .bind(ColumnType::Text, text("top"))
            .returning([ColumnType::Uuid, ColumnType::Text, ColumnType::Bool, ColumnType::Float]);
        let outcome = store.sql(read).await.expect("read");
        assert_eq!(outcome.rows, [Row::new(vec![id(1), text("top"), Value::Bool(true), Value::Float(0.5)])]);
        assert_eq!(outcome.affected, 0);

        let write = one("UPDATE shelves SET code = ?1 RETURNING code")
            .bind(ColumnType::Int, Value::Int(5))
            .returning([ColumnType::Int]);
        let outcome = store.sql(write).await.expect("write");
        assert_eq!((outcome.rows, outcome.affected), (vec![Row::new(vec![Value::Int(5)])], 1));
        let write = one("UPDATE shelves SET code = ?1 WHERE id = ?1").bind(ColumnType::Int, Value::Null);
        assert_eq!(store.sql(write).await.expect("write").affected, 0);

        let wrong = one("SELECT name AS label FROM shelves").returning([ColumnType::Int]);
        let error = store.sql(wrong).await.expect_err("wrong type");
        assert_eq!(*error.kind(), ErrorKind::Corrupt { entity: "Sql".into(), field: "label".into() });
    }
}

#[tokio::test]
async fn what_does_not_fit_the_statement_is_refused() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        let int = [ColumnType::Int];
        let two = one("INSERT INTO lids VALUES (x'00'); SELECT 1").returning(int);
        let cases = [
            (two, "sqlite"),
            (one("SELECT 1; nonsense").returning(int), "sqlite"),
            (one(" -- nothing").returning(int), "sqlite"),
            (one("SELECT ?1").returning(int), "binds"),
            (one("SELECT 1").bind(ColumnType::Int, Value::Int(1)).returning(int), "binds"),
            (one("SELECT 1, 2").returning(int), "returns"),
        ];
        for (sql, field) in cases {
            let error = store.sql(sql).await.expect_err(field);
            assert_eq!(invalid_field(&error), field);
        }
        store.sql(one("SELECT 1; -- a comment may follow").returning(int)).await.expect("one statement");
    }
}

#[tokio::test]
async fn a_script_happens_wholly_or_not_at_all() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        let script =
            "CREATE TABLE x (a); INSERT INTO x VALUES (1); INSERT INTO shelves VALUES (x'00', 'n', 2);";
        let error = store.sql(Sql::portable(script)).await.expect_err("an id of one byte");
        assert_eq!(invalid_field(&error), "shelves_id_check");
        let error =
            store.sql(one("SELECT a FROM x").returning([ColumnType::Int])).await.expect_err("no table");
        assert_eq!(*error.kind(), ErrorKind::Schema);
    }
}

#[tokio::test]
async fn broken_constraints_have_the_kinds_that_verbs_give_them() {
    for fixture in Fixture::both("").await {
        let error = async |text| fixture.store.sql(Sql::portable(text)).await.expect_err(text);
        let taken = error("INSERT INTO shelves VALUES (zeroblob(16), 'top', NULL)").await;
        assert_eq!(*taken.kind(), ErrorKind::Conflict { entity: "shelves".into(), field: "name".into() });
        assert_eq!(invalid_field(&error("INSERT INTO shelves VALUES (zeroblob(16), NULL, 2)").await), "name");
        assert_eq!(invalid_field(&error("UPDATE shelves SET code = 'x'").await), "code");
        let fixture_jar = insert(&JARS, [jar(1)]);
        done(&fixture.store, fixture_jar).await;
        let orphan = error("UPDATE jars SET lid_id = zeroblob(16)").await;
        assert!(matches!(orphan.kind(), ErrorKind::MissingParent { .. }));
    }
}

#[tokio::test]
async fn transactions_and_settings_are_not_for_sql() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        for text in [
            "BEGIN",
            "COMMIT",
            "INSERT INTO lids VALUES (zeroblob(16)); COMMIT; BEGIN",
            "ROLLBACK",
            "SAVEPOINT a",
            "RELEASE work",
            "ATTACH ':memory:' AS other",
            "PRAGMA foreign_keys = OFF",
            "PRAGMA query_only = OFF",
            "PRAGMA journal_mode = DELETE",
            "PRAGMA synchronous = OFF",
            "PRAGMA case_sensitive_like = ON",
        ] {
            let error = store.sql(Sql::portable(text)).await.expect_err(text);
            assert_eq!(*error.kind(), ErrorKind::Unsupported, "{text}");
            let error = store.sql(Sql::portable(text).returning([ColumnType::Int])).await.expect_err(text);
            assert!(
                matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Invalid { .. }),
                "{text}: {error:?}"
            );
            let mut transaction = store.begin(Begin::Schema).await.expect("begin");
            let error = transaction.sql(Sql::portable(text)).await.expect_err(text);
            assert_eq!(*error.kind(), ErrorKind::Unsupported, "{text}");
            transaction.rollback().await.expect("rollback");
        }
        assert_eq!(count(store, &crate::common::LIDS).await, 1);
        let enforced = one("PRAGMA foreign_keys").returning([ColumnType::Int]);
        assert_eq!(store.sql(enforced).await.expect("read").rows, [Row::new(vec![Value::Int(1)])]);
        let columns = one("SELECT name FROM pragma_table_info('lids')").returning([ColumnType::Text]);
        assert_eq!(store.sql(columns).await.expect("read").rows, [Row::new(vec![text("id")])]);
        let quoted = one("SELECT \"no column\"").returning([ColumnType::Text]);
        assert_eq!(*store.sql(quoted).await.expect_err("no text").kind(), ErrorKind::Schema);
    }
}

#[tokio::test]
async fn sql_that_rolls_back_by_itself_takes_nobody_along() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        let rolls_back = Sql::portable(
            "INSERT OR ROLLBACK INTO shelves VALUES (x'00000000000000000000000000000001', 'x', 9)",
        );
        store.sql(rolls_back.clone()).await.expect_err("conflict");
        done(store, insert(&SHELVES, [shelf(2, "low", None)])).await;

        let mut transaction = store.begin(Begin::Serializable).await.expect("begin");
        transaction.execute(insert(&JARS, [jar(1)])).await.expect("insert");
        transaction.sql(rolls_back).await.expect_err("conflict");
        let error = transaction.execute(insert(&JARS, [jar(2)])).await.expect_err("lost");
        assert_eq!(*error.kind(), ErrorKind::TransactionAborted);
        assert_eq!(*transaction.commit().await.expect_err("lost").kind(), ErrorKind::TransactionAborted);
        assert_eq!((count(store, &SHELVES).await, count(store, &JARS).await), (2, 0));
    }
}

#[tokio::test]
async fn health_names_the_library() {
    for fixture in Fixture::both("").await {
        let health = fixture.store.health().await.expect("health");
        assert_eq!(health.lanes.iter().map(|lane| lane.name).collect::<Vec<_>>(), ["writes"]);
        assert!(
            health.version.starts_with("libSQL ") && health.version.contains("SQLite 3."),
            "{}",
            health.version
        );
    }
}
