//! What the server refuses, in larder's words; and what is refused before it is asked.

use crate::common::*;
use larder_core::{Assign, ColumnType, ErrorKind, Sql, Store, Value, Verb};
use larder_postgres::{PostgresConfig, PostgresStore};

fn field(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::Invalid { entity, field, .. } if entity == "Job" => field.into_owned(),
        other => panic!("not an invalid job: {other:?}"),
    }
}

#[tokio::test]
async fn keys_and_parents() {
    let (_fixture, store) = with_users().await;
    store.execute(insert(&JOBS, vec![job(1, 1)])).await.unwrap();
    let conflict = |entity: &'static str, field: &'static str| ErrorKind::Conflict {
        entity: entity.into(),
        field: field.into(),
    };
    // Both keys are taken: the primary key is named.
    assert_eq!(kind(store.execute(insert(&JOBS, vec![job(1, 1)])).await), conflict("Job", "id"));
    let same_name = with(job(1, 2), NAME, text("job 1"));
    assert_eq!(kind(store.execute(insert(&JOBS, vec![same_name])).await), conflict("Job", "user_id, name"));
    let same_in_the_verb = vec![job(1, 5), job(1, 5)];
    assert_eq!(kind(store.execute(insert(&JOBS, same_in_the_verb)).await), conflict("Job", "id"));
    let same_email = insert(&USERS, vec![user(3, Some("a@b.c"))]);
    assert_eq!(kind(store.execute(same_email).await), conflict("User", "email"));
    let orphan = insert(&JOBS, vec![job(9, 9)]);
    let missing = ErrorKind::MissingParent { entity: "Job".into(), parent: "User".into() };
    assert_eq!(kind(store.execute(orphan).await), missing);
}

#[tokio::test]
async fn rules_are_kept_by_the_database_too() {
    let (_fixture, store) = with_users().await;
    let refused = async |column, value| {
        field(kind(store.execute(insert(&JOBS, vec![with(job(1, 1), column, value)])).await))
    };
    assert_eq!(refused(NAME, text("")).await, "name");
    assert_eq!(refused(NAME, Value::Null).await, "name");
    assert_eq!(refused(NAME, text("a\0b")).await, "name");
    assert_eq!(refused(NAME, Value::Int(1)).await, "name");
    assert_eq!(refused(TOKENS, Value::Int(-1)).await, "tokens");
    assert_eq!(refused(STATUS_OF, text("DONE")).await, "status");
    store.execute(insert(&JOBS, vec![job(1, 1)])).await.unwrap();
    let too_little = Verb::Update(update(1, vec![(TOKENS, Assign::Add(-2))]));
    assert_eq!(field(kind(store.execute(too_little).await)), "tokens");
    let no_email = insert(&USERS, vec![user(3, Some("nobody"))]);
    assert!(
        matches!(kind(store.execute(no_email).await), ErrorKind::Invalid { field, .. } if field == "email")
    );
    assert_eq!(number(&*store, count(&JOBS)).await, 1);
}

/// The report of a violated CHECK quotes the whole row: none of it is shown.
#[tokio::test]
async fn errors_quote_no_row() {
    let (_fixture, store) = with_users().await;
    let row = with(with(job(1, 1), CONTENT, Value::Json("very-private".into())), TOKENS, Value::Int(-1));
    let error = store.execute(insert(&JOBS, vec![row])).await.unwrap_err();
    let shown = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
    assert!(shown.contains("23514") && !shown.contains("very-private"), "{shown}");
}

#[tokio::test]
async fn a_database_that_was_never_migrated() {
    let fixture = Fixture::new().await;
    let store = fixture.store("").await;
    store.sql(Sql::portable("DROP TABLE jobs")).await.unwrap();
    let error = store.execute(get(1)).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Schema);
    assert!(error.to_string().contains("migrate()"), "{error}");
    store.sql(Sql::portable("ALTER TABLE users DROP COLUMN email")).await.unwrap();
    assert_eq!(kind(store.execute(get_user(1)).await), ErrorKind::Schema);
}

/// What was committed together is answered apart: a row that cannot be read is one caller's error, and nothing is done twice.
#[tokio::test]
async fn a_row_that_cannot_be_read_among_others() {
    let (_fixture, store) = with_users().await;
    store
        .execute(insert(&JOBS, (0..20).map(|number| with(job(1, number), TOKENS, Value::Int(0))).collect()))
        .await
        .unwrap();
    let unreadable = "UPDATE jobs SET next_run_at = 'infinity' WHERE name = 'job 19'";
    store.sql(Sql::portable(unreadable)).await.unwrap();
    let calls: Vec<_> = (0..20)
        .map(|number| {
            let store = store.clone();
            let add = Verb::Update(update(number, vec![(TOKENS, Assign::Add(1))]));
            tokio::spawn(async move { store.execute(add).await })
        })
        .collect();
    for (number, call) in (0..20).zip(calls) {
        let answer = call.await.unwrap();
        assert_eq!(answer.is_err(), number == 19, "{number}: {answer:?}");
        assert!(answer.is_ok() || matches!(kind(answer), ErrorKind::Corrupt { .. }));
    }
    let writes = store.health().await.unwrap().lanes[1];
    assert!(writes.largest > 10, "they travelled together: {writes:?}");
    let sum = Sql::portable("SELECT count(*) FROM jobs WHERE tokens = 1").returning([ColumnType::Int]);
    assert_eq!(store.sql(sum).await.unwrap().rows[0].values(), [Value::Int(20)]);
}

#[tokio::test]
async fn a_value_that_cannot_be_read_is_corrupt() {
    let (_fixture, store) = with_users().await;
    store.execute(insert(&JOBS, vec![job(1, 1)])).await.unwrap();
    let corrupt = |field: &'static str| ErrorKind::Corrupt { entity: "Job".into(), field: field.into() };
    store.sql(Sql::portable("UPDATE jobs SET next_run_at = 'infinity'")).await.unwrap();
    assert_eq!(kind(store.execute(get(1)).await), corrupt("next_run_at"));
    store.sql(Sql::portable("ALTER TABLE jobs ALTER ratio TYPE text")).await.unwrap();
    store.sql(Sql::portable("UPDATE jobs SET next_run_at = NULL")).await.unwrap();
    assert_eq!(kind(store.execute(get(1)).await), corrupt("ratio"));
}

/// A prepared statement outlives the change of a table.
#[tokio::test]
async fn the_schema_may_change_under_a_prepared_statement() {
    let (fixture, store) = with_users().await;
    store.execute(insert(&JOBS, vec![job(1, 1)])).await.unwrap();
    let other = fixture.store("").await;
    assert!(row(&*store, get(1)).await.is_some());
    other.sql(Sql::portable("ALTER TABLE jobs ADD COLUMN extra bigint")).await.unwrap();
    assert!(row(&*store, get(1)).await.is_some());
    let all = Verb::Select(select(larder_core::Filter::always(), vec![]));
    assert_eq!(rows(&*store, all).await.len(), 1);
    // This one PostgreSQL refuses for as long as the statement stays prepared.
    other.sql(Sql::portable("ALTER TABLE jobs ALTER name TYPE varchar COLLATE \"C\"")).await.unwrap();
    assert!(row(&*store, get(1)).await.is_some());
    assert_eq!(rows(&*store, rename(1, "renamed")).await.len(), 1);
}

#[tokio::test]
async fn read_only() {
    let (fixture, store) = with_users().await;
    let set = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on',
        current_database()); END $$";
    store.sql(Sql::portable(set)).await.unwrap();
    let store = fixture.store("").await;
    assert_eq!(kind(store.execute(insert(&JOBS, vec![job(1, 1)])).await), ErrorKind::ReadOnly);
}

#[tokio::test]
async fn sql_with_values_and_rows() {
    let (_fixture, store) = with_users().await;
    let sql = Sql::portable("SELECT $1::text || 'x', $2::bigint + 1, $3::timestamptz, 2::smallint")
        .bind(ColumnType::Text, text("a"))
        .bind(ColumnType::Int, Value::Null)
        .bind(ColumnType::Time, Value::Time(time(5)))
        .returning([ColumnType::Text, ColumnType::Int, ColumnType::Time, ColumnType::Int]);
    let outcome = store.sql(sql).await.unwrap();
    let expected = [text("ax"), Value::Null, Value::Time(time(5)), Value::Int(2)];
    assert_eq!((outcome.rows[0].values(), outcome.affected), (&expected[..], 0));
    let change = Sql::portable("DELETE FROM users WHERE id = $1 OR id = $2")
        .bind(ColumnType::Uuid, Value::Uuid(id(1)))
        .bind(ColumnType::Uuid, Value::Uuid(id(2)));
    assert_eq!(store.sql(change).await.unwrap().affected, 2);
    let wrong = Sql::portable("SELECT 'x'::text").returning([ColumnType::Int]);
    assert!(matches!(kind(store.sql(wrong).await), ErrorKind::Corrupt { .. }));
    let syntax = store.sql(Sql::portable("SELEC")).await.unwrap_err();
    assert_eq!(*syntax.kind(), ErrorKind::Database);
    assert!(syntax.to_string().contains("42601"), "{syntax}");
}

#[tokio::test]
async fn a_script_leaves_nothing_behind() {
    let fixture = Fixture::new().await;
    let store = fixture.store("pool_size=1").await;
    store.sql(Sql::portable("BEGIN; CREATE TABLE t (x int); SET search_path = nowhere")).await.unwrap();
    assert_eq!(number(&*store, count(&USERS)).await, 0);
    let exists = Sql::portable("SELECT to_regclass('t') IS NOT NULL").returning([ColumnType::Bool]);
    assert_eq!(store.sql(exists).await.unwrap().rows[0].values(), [Value::Bool(false)]);
}

#[tokio::test]
async fn refused_connections_say_what_to_do() {
    let fixture = Fixture::new().await;
    let config = || PostgresConfig::parse(fixture.database.url()).unwrap();
    let failure = async |config| PostgresStore::connect(config).await.unwrap_err();

    let mut wrong = config();
    wrong.database = "nowhere".to_owned();
    let error = failure(wrong).await;
    assert_eq!(*error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("`nowhere`"), "{error}");

    let mut wrong = config();
    wrong.password = Some("wrong-horse".to_owned().into());
    let shown = format!("{wrong:?}");
    assert!(shown.contains("REDACTED") && !shown.contains("wrong-horse"), "{shown}");
    let error = failure(wrong).await;
    assert_eq!(*error.kind(), ErrorKind::Denied);
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("the user") && !shown.contains("wrong-horse"), "{shown}");

    // Nothing listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = failure(PostgresConfig { host: "127.0.0.1".to_owned(), port, ..config() }).await;
    assert_eq!(*error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");

    let error = failure(PostgresConfig { ssl_mode: larder_postgres::SslMode::Require, ..config() }).await;
    assert_eq!(*error.kind(), ErrorKind::Config);
}
