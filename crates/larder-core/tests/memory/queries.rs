//! Reading: look-ups, filters, order, keyset pages, counts.

use larder_core::{
    Count, Filter, Get, Key, MemoryStore, Op, Order, Outcome, Row, Select,
    SortDirection::{Asc, Desc},
    Store, Value, Verb,
};
use serde_json::json;

use crate::tables::*;

/// Six jobs of user 1 (10 to 15) and one of user 2 (20): 10 and 12 are not due at any time, 13 and 14 tie.
async fn with_jobs() -> MemoryStore {
    let store = with_users().await;
    let due = |n, at| with(job(n, 1), DUE, time(at));
    let rows =
        vec![job(10, 1), due(11, 300), job(12, 1), due(13, 200), due(14, 200), due(15, 100), job(20, 2)];
    insert(&store, &JOBS, rows).await.unwrap();
    store
}

async fn found(store: &MemoryStore, filter: Filter) -> Vec<u128> {
    ids(&select(store, Select { filter, ..everything(&JOBS) }).await)
}

async fn got(store: &MemoryStore, owner: Option<u128>, key: Key) -> Option<Row> {
    let verb = Verb::Get(Get { table: &JOBS, owner: owner.map(uuid), key });
    match store.execute(verb).await.unwrap() {
        Outcome::Row(row) => row,
        other => panic!("a row, not {other:?}"),
    }
}

#[tokio::test]
async fn looks_up_by_the_primary_key_and_by_a_unique_key() {
    let store = with_jobs().await;
    let mut expected = job(20, 2);
    expected.truncate(JOBS.visible);
    let unique = Key { columns: &[USER, NAME], values: vec![id(2), text("job 20")] };
    for key in [primary(20), unique] {
        assert_eq!(got(&store, None, key.clone()).await.unwrap().values(), expected);
        assert!(got(&store, Some(2), key.clone()).await.is_some());
        assert!(got(&store, Some(1), key).await.is_none(), "another owner's row does not exist");
    }
    assert!(got(&store, None, primary(99)).await.is_none());
    let null = Key { columns: &[USER, NAME], values: vec![id(2), Value::Null] };
    assert!(got(&store, None, null).await.is_none());
}

#[tokio::test]
async fn an_owner_sees_own_rows_only() {
    let store = with_jobs().await;
    let of = |owner| Select { owner: Some(uuid(owner)), ..everything(&JOBS) };
    assert_eq!(ids(&select(&store, of(2)).await), [20]);
    assert_eq!(select(&store, of(3)).await, []);
    let verb = Count { table: &JOBS, owner: Some(uuid(1)), filter: Filter::IsNull(DUE) };
    assert_eq!(store.execute(Verb::Count(verb)).await.unwrap(), Outcome::Count(2));
    let users = Select { owner: Some(uuid(1)), ..everything(&USERS) };
    assert_eq!(select(&store, users).await, [], "a table without an owner has nothing for one");
}

#[tokio::test]
async fn comparisons_are_not_met_by_null() {
    let store = with_jobs().await;
    let due = |op, at| compare(DUE, op, time(at));
    assert_eq!(found(&store, due(Op::Eq, 200)).await, [13, 14]);
    assert_eq!(found(&store, due(Op::Ne, 200)).await, [11, 15]);
    assert_eq!(found(&store, due(Op::Lt, 200)).await, [15]);
    assert_eq!(found(&store, due(Op::Le, 200)).await, [13, 14, 15]);
    assert_eq!(found(&store, due(Op::Gt, 200)).await, [11]);
    assert_eq!(found(&store, due(Op::Ge, 200)).await, [11, 13, 14]);
    for op in [Op::Eq, Op::Ne, Op::Le, Op::Ge] {
        assert_eq!(found(&store, compare(DUE, op, Value::Null)).await, [0; 0]);
    }
    assert_eq!(found(&store, Filter::IsNull(DUE)).await, [10, 12, 20]);
    assert_eq!(found(&store, Filter::IsNotNull(DUE)).await, [11, 13, 14, 15]);
    let values = vec![time(100), Value::Null, time(300)];
    assert_eq!(found(&store, Filter::In { column: DUE, values }).await, [11, 15]);
    assert_eq!(found(&store, Filter::In { column: DUE, values: vec![] }).await, [0; 0]);
}

#[tokio::test]
async fn all_and_any() {
    let store = with_jobs().await;
    let (early, of_2) = (compare(DUE, Op::Le, time(200)), compare(USER, Op::Eq, id(2)));
    assert_eq!(found(&store, early.clone().and(compare(DUE, Op::Gt, time(100)))).await, [13, 14]);
    assert_eq!(found(&store, early.or(of_2)).await, [13, 14, 15, 20]);
    assert_eq!(found(&store, Filter::always()).await.len(), 7);
    assert_eq!(found(&store, Filter::Any(vec![])).await, [0; 0]);
}

#[tokio::test]
async fn contains_is_literal_and_by_bytes() {
    let store = with_users().await;
    let named = |n, name| with(job(n, 1), SEARCH, text(name));
    let rows =
        vec![named(1, "50% off"), named(2, "a_b\\c"), named(3, "É"), with(job(4, 1), SEARCH, Value::Null)];
    insert(&store, &JOBS, rows).await.unwrap();
    let contains = |text: &str| Filter::Contains { column: SEARCH, text: text.to_owned() };
    assert_eq!(found(&store, contains("%")).await, [1]);
    assert_eq!(found(&store, contains("_")).await, [2]);
    assert_eq!(found(&store, contains("\\")).await, [2]);
    assert_eq!(found(&store, contains("e")).await, [0; 0]);
    assert_eq!(found(&store, contains("")).await, [1, 2, 3]);
}

#[tokio::test]
async fn json_is_compared_by_value() {
    let store = with_users().await;
    let holding = |n, json| with(job(n, 1), DATA, Value::Json(json));
    let rows = vec![holding(1, json!({"a": 1, "b": [2]})), holding(2, json!(null)), job(3, 1)];
    insert(&store, &JOBS, rows).await.unwrap();
    let value = Value::Json(json!({"b": [2], "a": 1}));
    assert_eq!(found(&store, compare(DATA, Op::Eq, value.clone())).await, [1]);
    assert_eq!(found(&store, compare(DATA, Op::Ne, value.clone())).await, [2], "JSON null is no NULL");
    assert_eq!(found(&store, compare(DATA, Op::Le, value.clone())).await, [0; 0]);
    assert_eq!(found(&store, Filter::In { column: DATA, values: vec![value] }).await, [1]);
}

#[tokio::test]
async fn nulls_come_last_in_both_directions() {
    let store = with_jobs().await;
    let sorted = |due, tie| Select { order: vec![by(DUE, due), by(ID, tie)], ..everything(&JOBS) };
    assert_eq!(ids(&select(&store, sorted(Asc, Asc)).await), [15, 13, 14, 11, 10, 12, 20]);
    assert_eq!(ids(&select(&store, sorted(Desc, Desc)).await), [11, 14, 13, 15, 20, 12, 10]);
    assert_eq!(ids(&select(&store, sorted(Desc, Asc)).await), [11, 13, 14, 15, 10, 12, 20]);
}

#[tokio::test]
async fn text_sorts_by_bytes_and_floats_by_size() {
    let store = with_users().await;
    let names = ["éa", "doc_3", "Apt", "doc6", "alt", "doc-3"];
    let weights = [2.5, -1.0, 0.0, 1e9, 10.0, 9.5];
    let rows = names
        .iter()
        .zip(weights)
        .zip(1..)
        .map(|((name, weight), n)| with(with(job(n, 1), NAME, text(name)), WEIGHT, Value::Float(weight)));
    insert(&store, &JOBS, rows.collect()).await.unwrap();
    let sorted = |column| Select { order: vec![by(column, Asc)], ..everything(&JOBS) };
    assert_eq!(ids(&select(&store, sorted(NAME)).await), [3, 5, 6, 4, 2, 1]);
    assert_eq!(ids(&select(&store, sorted(WEIGHT)).await), [2, 3, 1, 6, 5, 4]);
}

#[tokio::test]
async fn offset_and_limit() {
    let store = with_jobs().await;
    let part = |offset, limit| Select { offset, limit, ..everything(&JOBS) };
    assert_eq!(ids(&select(&store, part(0, Some(2))).await), [10, 11]);
    assert_eq!(ids(&select(&store, part(5, Some(2))).await), [15, 20]);
    assert_eq!(ids(&select(&store, part(6, None)).await), [20]);
    assert_eq!(select(&store, part(u64::MAX, Some(u64::MAX))).await, []);
    assert_eq!(select(&store, part(0, Some(0))).await, []);
}

/// Walks the whole list by keyset, pages of every size: each row comes exactly once, and in order.
#[tokio::test]
async fn keyset_pages_are_the_whole_list() {
    let store = with_jobs().await;
    for order in [[by(DUE, Asc), by(ID, Asc)], [by(DUE, Desc), by(ID, Desc)], [by(DUE, Desc), by(ID, Asc)]] {
        let whole = select(&store, Select { order: order.to_vec(), ..everything(&JOBS) }).await;
        for size in 1..=whole.len() + 1 {
            assert_eq!(walk(&store, &order, size as u64).await, whole, "{order:?} by {size}");
        }
    }
}

async fn walk(store: &MemoryStore, order: &[Order], size: u64) -> Vec<Row> {
    let mut walked: Vec<Row> = Vec::new();
    loop {
        let after = walked
            .last()
            .map(|last| order.iter().map(|order| last.get(order.column).unwrap().clone()).collect());
        let page = Select { order: order.to_vec(), after, limit: Some(size), ..everything(&JOBS) };
        let page = select(store, page).await;
        if page.is_empty() {
            return walked;
        }
        walked.extend(page);
    }
}
