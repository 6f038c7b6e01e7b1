//! The schema, the store's own answers, and what it does not know.

use larder_core::{
    Assign, Begin, Capability, Column, ColumnType, ErrorKind, Filter, ForeignKey, Get, Key, MemoryStore, Op,
    Sql, Store, Table, Value, Verb,
};

use crate::tables::*;

#[test]
fn a_parent_must_be_among_the_tables() {
    assert_eq!(kind(MemoryStore::new([&JOBS])), ErrorKind::Config);
    assert!(MemoryStore::new([&JOBS, &USERS]).is_ok(), "the order of the tables does not matter");
}

#[test]
fn a_foreign_key_must_refer_to_a_key() {
    const fn child(foreign_keys: &'static [ForeignKey]) -> Table {
        const COLUMNS: &[Column] = &[column("id", ColumnType::Uuid, false)];
        Table { foreign_keys, ..table("children", "Child", COLUMNS) }
    }
    const fn to(parent_columns: &'static [&'static str]) -> ForeignKey {
        ForeignKey { columns: &[ID], parent: || &USERS, parent_columns }
    }
    static NO_KEY: Table = child(&[to(&["name"])]);
    static NO_COLUMN: Table = child(&[to(&["nickname"])]);
    static TOO_MANY: Table = child(&[to(&["id", "email"])]);
    static RIGHT: Table = child(&[to(&["id"])]);
    for wrong in [&NO_KEY, &NO_COLUMN, &TOO_MANY] {
        let error = MemoryStore::new([&USERS, wrong]).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Config);
        assert!(error.context().contains("children"), "{error}");
    }
    assert!(MemoryStore::new([&USERS, &RIGHT]).is_ok());
}

#[test]
fn a_table_given_twice_is_refused() {
    assert_eq!(kind(MemoryStore::new([&USERS, &USERS])), ErrorKind::Config);
}

#[tokio::test]
async fn an_unknown_table_or_column_is_a_schema_error() {
    let store = MemoryStore::new([&USERS]).unwrap();
    assert_eq!(kind(store.execute(count(&JOBS)).await), ErrorKind::Schema);
    assert_eq!(kind(insert(&store, &JOBS, vec![]).await), ErrorKind::Schema);
    let mut select = everything(&USERS);
    select.filter = Filter::Any(vec![compare(99, Op::Eq, Value::Null)]);
    assert_eq!(kind(store.execute(Verb::Select(select)).await), ErrorKind::Schema);
    let update = change(&USERS, 1, vec![(99, Assign::Set(Value::Null))]);
    assert_eq!(kind(store.execute(Verb::Update(update)).await), ErrorKind::Schema);
}

#[tokio::test]
async fn a_look_up_by_what_is_no_key_is_unsupported() {
    let store = with_users().await;
    let key = Key { columns: &[2], values: vec![text("name")] };
    let get = Verb::Get(Get { table: &USERS, owner: None, key });
    assert_eq!(kind(store.execute(get).await), ErrorKind::Unsupported);
}

#[tokio::test]
async fn says_what_it_can() {
    let store = empty();
    let can: Vec<_> = Capability::ALL.iter().filter(|capability| store.supports(**capability)).collect();
    assert_eq!(can, [&Capability::ReadsDuringTransaction, &Capability::LargeValues]);
    assert_eq!(kind(store.sql(Sql::portable("SELECT 1")).await), ErrorKind::Unsupported);
    assert_eq!(store.health().await.unwrap().version, "MemoryStore");
}

#[tokio::test]
async fn debug_shows_no_rows() {
    let store = with_users().await;
    assert!(!format!("{store:?} {:?}", store.begin(Begin::Serializable).await).contains("example.com"));
}

#[tokio::test]
async fn after_close_every_handle_and_method_answers_closed() {
    let store = with_users().await;
    let other = store.clone();
    store.close().await.unwrap();
    store.close().await.unwrap();
    for store in [&store, &other] {
        assert_eq!(kind(store.execute(count(&USERS)).await), ErrorKind::Closed);
        assert_eq!(kind(insert(store, &USERS, vec![user(3)]).await), ErrorKind::Closed);
        assert_eq!(kind(store.run(larder_core::Unit::default()).await), ErrorKind::Closed);
        assert_eq!(kind(store.begin(Begin::Serializable).await), ErrorKind::Closed);
        assert_eq!(kind(store.sql(Sql::portable("SELECT 1")).await), ErrorKind::Closed);
        assert_eq!(kind(store.health().await), ErrorKind::Closed);
    }
}

#[tokio::test]
async fn close_ends_open_transactions_and_those_who_wait_for_them() {
    let store = with_users().await;
    let mut executing = store.begin(Begin::Serializable).await.unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { insert(&store, &USERS, vec![user(3)]).await }
    });
    tokio::task::yield_now().await;
    store.close().await.unwrap();
    assert_eq!(kind(waiting.await.unwrap()), ErrorKind::Closed);
    assert_eq!(kind(executing.execute(count(&USERS)).await), ErrorKind::Closed);
    assert_eq!(kind(executing.commit().await), ErrorKind::Closed);
}
