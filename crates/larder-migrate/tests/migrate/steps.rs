//! A step and its record are one transaction.

use std::error::Error as _;

use larder_core::{ColumnType, ErrorKind, Migrations, Sql, Value};
use larder_migrate::status;

use crate::databases::{Database, ledger, migrate, names, notes, number, on_both, open};

on_both!(
    a_failing_step_leaves_nothing,
    a_failing_first_step_leaves_no_ledger,
    a_step_that_ends_the_transaction_is_told,
    a_step_that_ends_the_transaction_and_fails_is_told,
    a_step_may_have_no_statement,
    a_script_of_many_statements,
);

/// Both have the first step; in `broken` the second writes, and then cannot go on.
fn broken_and_mended() -> (Migrations, Migrations) {
    let create = |set: Migrations| {
        set.then("create", "CREATE TABLE a (n bigint)", "CREATE TABLE a (n INTEGER) STRICT")
    };
    let half = "INSERT INTO a VALUES (1); CREATE TABLE b (n integer);";
    let broken = format!("{half} INSERT INTO nowhere VALUES (1)");
    (
        create(Migrations::new("app")).then("second", broken.clone(), broken),
        create(Migrations::new("app")).then("second", half, half),
    )
}

async fn a_failing_step_leaves_nothing(database: Database) {
    let store = database.open().await;
    let (broken, mended) = broken_and_mended();
    let error = migrate(&store, std::slice::from_ref(&broken)).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Migration);
    let words = error.context();
    assert!(
        words.starts_with("app 0002_second failed and was undone; the steps before it stay: "),
        "{words}"
    );
    assert!(words.contains("nowhere"), "the cause is named: {words}");
    assert!(!words.contains("migrate()"), "no advice to do what has failed: {words}");
    assert!(words.ends_with(". Mend its cause and migrate again"), "{words}");
    assert_eq!(words.lines().count(), 1);
    assert!(error.source().is_some());

    assert_eq!(ledger(&store).await, ["app 1 create"]);
    assert_eq!(number(&store, "SELECT count(*) FROM a").await, 0);
    assert_eq!(status(&store, &[broken]).await.unwrap().pending, ["app 0002_second"]);
    assert_eq!(names(migrate(&store, &[mended]).await.unwrap()), ["app 0002_second"]);
    assert_eq!(number(&store, "SELECT count(*) FROM a").await, 1);
}

async fn a_failing_first_step_leaves_no_ledger(database: Database) {
    let store = database.open().await;
    let script = "CREATE TABLE a (n integer); SELECT no_such_function()";
    migrate(&store, &[Migrations::new("app").then("first", script, script)]).await.unwrap_err();
    for table in ["a", "larder_migrations"] {
        let error = store.sql(Sql::portable(format!("DELETE FROM {table}"))).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Schema, "{table}");
    }
}

/// SQLite's driver refuses the COMMIT; PostgreSQL executes it, which nobody can undo, and so it is told.
async fn a_step_that_ends_the_transaction_is_told(database: Database) {
    let store = database.open().await;
    migrate(&store, &[notes()]).await.unwrap();
    let script = "BEGIN; CREATE TABLE a (n integer); COMMIT;";
    let set = [notes().then("wrapped", script, script)];
    let error = migrate(&store, &set).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Migration);
    match database {
        Database::Libsql(_) => {
            assert!(error.context().starts_with("notes 0004_wrapped failed and was undone"), "{error}");
            assert!(error.context().contains("transactions"), "{error}");
        }
        Database::Postgres(_) => assert_eq!(
            error.context(),
            "notes 0004_wrapped ended the transaction that it ran in, so that what it did is in the database and not in \
             the ledger: undo it by hand, take BEGIN, COMMIT and ROLLBACK out of the script, and migrate again"
        ),
    }
    assert_eq!(status(&store, &set).await.unwrap().pending, ["notes 0004_wrapped"]);
}

async fn a_step_that_ends_the_transaction_and_fails_is_told(database: Database) {
    let store = database.open().await;
    migrate(&store, &[notes()]).await.unwrap();
    let script = "CREATE TABLE a (n integer); COMMIT; INSERT INTO nowhere VALUES (1)";
    let error = migrate(&store, &[notes().then("half", script, script)]).await.unwrap_err();
    let words = match database {
        Database::Libsql(_) => "notes 0004_half failed and was undone; the steps before it stay",
        Database::Postgres(_) => "notes 0004_half ended the transaction that it ran in",
    };
    assert!(error.context().starts_with(words), "{error}");
}

async fn a_step_may_have_no_statement(database: Database) {
    let store = database.open().await;
    let set = [Migrations::new("app").then("nothing", "-- only for the other database\n", "")];
    assert_eq!(names(migrate(&store, &set).await.unwrap()), ["app 0001_nothing"]);
    assert!(migrate(&store, &set).await.unwrap().is_empty());
}

async fn a_script_of_many_statements(database: Database) {
    let store = database.open().await;
    let script = |kind: &str| {
        let tables = (0..200).map(|n| format!("CREATE TABLE t{n} (n {kind});\n-- ; not an end\n"));
        tables.collect::<String>() + "INSERT INTO t199 VALUES (7)"
    };
    let set = [Migrations::new("app").then("many", script("bigint"), script("INTEGER"))];
    migrate(&store, &set).await.unwrap();
    assert_eq!(number(&store, "SELECT n FROM t199").await, 7);
}

/// A step's settings must not outlast it: `SET search_path` is in every dump.
#[tokio::test]
async fn a_step_leaves_no_settings_behind() {
    let database = Database::postgres().await;
    let store = open(&format!("{}?pool_size=1", database.url())).await;
    let set = Migrations::new("app").then("set", "SET search_path = pg_catalog; SET work_mem = '1MB'", "");
    migrate(&store, &[set]).await.unwrap();
    let sql = Sql::portable("SELECT current_setting('search_path')").returning([ColumnType::Text]);
    let rows = store.sql(sql).await.unwrap().rows;
    assert_eq!(rows[0].get(0), Some(&Value::Text("\"$user\", public".to_owned())));
}
