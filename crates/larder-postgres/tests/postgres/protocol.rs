//! What is sent and answered on one connection.

use std::sync::Arc;

use larder_core::{Assign, ColumnType, ErrorKind, Sql, Store as _, Unit, Value, Verb};
use larder_postgres::PostgresStore;

use crate::common::{Fixture, JOBS, NAME, get, insert, job, kind, rename, row, text, update, with_users};

/// A store whose calls share one connection.
async fn one_connection() -> (Fixture, Arc<PostgresStore>) {
    let (fixture, _) = with_users().await;
    let store = fixture.store("pool_size=1").await;
    (fixture, store)
}

fn numbers(sql: impl Into<String>) -> Sql {
    Sql::portable(sql.into()).returning([ColumnType::Int])
}

#[tokio::test]
async fn prepared_statements_do_not_grow_without_end() {
    let (_fixture, store) = one_connection().await;
    store.execute(insert(&JOBS, vec![job(1, 1)])).await.unwrap();
    for number in 0..1_200 {
        let answer = store.sql(numbers(format!("SELECT {number}::bigint"))).await.unwrap();
        assert_eq!(answer.rows[0].values(), [Value::Int(number)]);
        assert!(row(&*store, get(1)).await.is_some());
    }
    let prepared = store.sql(numbers("SELECT count(*) FROM pg_prepared_statements")).await.unwrap();
    let Some(Value::Int(prepared)) = prepared.rows[0].get(0) else { panic!("no number") };
    assert!((1..=501).contains(prepared), "{prepared} statements are kept");
}

#[tokio::test]
async fn a_statement_that_cannot_be_prepared_is_tried_anew_each_time() {
    let (_fixture, store) = one_connection().await;
    for _ in 0..2 {
        let refused = store.sql(numbers("SELECT things FROM nowhere")).await;
        assert_eq!(kind(refused), ErrorKind::Schema);
    }
    store.sql(Sql::portable("CREATE TABLE nowhere (things bigint)")).await.unwrap();
    assert!(store.sql(numbers("SELECT things FROM nowhere")).await.unwrap().rows.is_empty());
}

#[tokio::test]
async fn what_is_copied_in_is_refused_and_the_next_call_works() {
    let (_fixture, store) = one_connection().await;
    let copy = "COPY users FROM STDIN";
    assert_eq!(kind(store.sql(Sql::portable(copy)).await), ErrorKind::Unsupported);
    assert_eq!(kind(store.sql(numbers(copy)).await), ErrorKind::Unsupported);
    store.execute(insert(&JOBS, vec![job(1, 1)])).await.unwrap();
    let out = store.sql(Sql::portable("COPY jobs TO STDOUT")).await.unwrap();
    assert!(out.rows.is_empty(), "what is copied out is nobody's");
    assert!(row(&*store, get(1)).await.is_some());
}

#[tokio::test]
async fn a_statement_without_the_columns_it_is_to_answer_is_told_so() {
    let (_fixture, store) = one_connection().await;
    assert!(store.sql(Sql::portable("")).await.unwrap().rows.is_empty());
    for answers_nothing in ["", "DELETE FROM jobs"] {
        let error = kind(store.sql(numbers(answers_nothing)).await);
        assert_eq!(
            error,
            ErrorKind::Corrupt { entity: "Sql".into(), field: "column 1 of the result".into() }
        );
    }
}

/// Both sides have more to say than the sockets between them hold.
#[tokio::test]
async fn large_values_in_both_directions() {
    let (_fixture, store) = one_connection().await;
    let value = "x".repeat(30 * 1024 * 1024);
    let echo = Sql::portable("SELECT $1::text, $1::text")
        .bind(ColumnType::Text, text(&value))
        .returning([ColumnType::Text, ColumnType::Text]);
    let answer = store.sql(echo).await.unwrap();
    assert!(answer.rows[0].values().iter().all(|echoed| *echoed == text(&value)));
}

#[tokio::test]
async fn a_unit_of_decided_writes_is_one_transaction_of_the_server() {
    let (_fixture, store) = one_connection().await;
    let transactions = || numbers("SELECT count(DISTINCT xmin::text) FROM jobs");
    let both = Unit::default().then(insert(&JOBS, vec![job(1, 1)])).then(insert(&JOBS, vec![job(1, 2)]));
    store.run(both).await.unwrap();
    assert_eq!(store.sql(transactions()).await.unwrap().rows[0].values(), [Value::Int(1)]);
    // The second is refused, and so the first is not there.
    let renamed = Verb::Update(update(1, vec![(NAME, Assign::Set(text("renamed")))]));
    let refused = Unit::default().then(renamed).then(insert(&JOBS, vec![job(1, 2)]));
    assert!(matches!(kind(store.run(refused).await), ErrorKind::Conflict { .. }));
    assert_ne!(row(&*store, get(1)).await.unwrap().get(NAME), Some(&text("renamed")));
    assert_eq!(store.execute(rename(1, "renamed")).await.unwrap().rows(), 1);
}
