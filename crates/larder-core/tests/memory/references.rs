//! Foreign keys: parents that must exist, keys that are referred to, deletes that cascade.

use larder_core::{Assign, Delete, Filter, MemoryStore, Outcome, Store, Update, Value, Verb};

use crate::tables::*;

/// The users 1 and 2 with the jobs 11 and 12 of the first and 21 of the second, and a message of each job.
async fn with_messages() -> MemoryStore {
    let store = with_users().await;
    insert(&store, &JOBS, vec![job(11, 1), job(12, 1), job(21, 2)]).await.unwrap();
    insert(&store, &MESSAGES, vec![message(111, 1, 11), message(121, 1, 12), message(211, 2, 21)])
        .await
        .unwrap();
    store
}

fn reply(n: u128, to: u128) -> Vec<Value> {
    with(with(message(n, 1, 0), JOB, Value::Null), REPLY_TO, id(to))
}

async fn messages(store: &MemoryStore) -> Vec<u128> {
    ids(&select(store, everything(&MESSAGES)).await)
}

#[tokio::test]
async fn a_parent_must_exist_and_belong_to_the_same_owner() {
    let store = with_messages().await;
    let before = contents(&store).await;
    let missing = missing_parent("Message", "Job");
    assert_eq!(kind(insert(&store, &MESSAGES, vec![message(5, 1, 99)]).await), missing);
    assert_eq!(kind(insert(&store, &MESSAGES, vec![message(5, 1, 21)]).await), missing);
    let moved = change(&MESSAGES, 111, vec![(JOB, Assign::Set(id(21)))]);
    assert_eq!(kind(store.execute(Verb::Update(moved)).await), missing);
    assert_eq!(contents(&store).await, before);
    let moved = change(&MESSAGES, 111, vec![(JOB, Assign::Set(id(12)))]);
    assert_eq!(rows(store.execute(Verb::Update(moved)).await.unwrap()).len(), 1);
}

#[tokio::test]
async fn a_foreign_key_with_a_null_refers_to_nothing() {
    let store = with_messages().await;
    insert(&store, &MESSAGES, vec![with(message(5, 77, 0), JOB, Value::Null)]).await.unwrap();
    assert_eq!(messages(&store).await, [5, 111, 121, 211]);
}

#[tokio::test]
async fn rows_of_one_insert_may_refer_to_each_other() {
    let store = with_messages().await;
    insert(&store, &MESSAGES, vec![reply(1, 2), reply(2, 1), reply(3, 3)]).await.unwrap();
    assert_eq!(
        kind(insert(&store, &MESSAGES, vec![reply(4, 5)]).await),
        missing_parent("Message", "Message")
    );
}

#[tokio::test]
async fn a_key_that_is_referred_to_stays() {
    let store = with_messages().await;
    let before = contents(&store).await;
    let job = change(&JOBS, 11, vec![(ID, Assign::Set(id(19)))]);
    assert_eq!(kind(store.execute(Verb::Update(job)).await), missing_parent("Message", "Job"));
    let given_away = change(&JOBS, 11, vec![(USER, Assign::Set(id(2)))]);
    assert_eq!(kind(store.execute(Verb::Update(given_away)).await), missing_parent("Message", "Job"));
    assert_eq!(contents(&store).await, before);
    store.execute(Verb::Delete(removal(&MESSAGES, 111))).await.unwrap();
    let job = change(&JOBS, 11, vec![(ID, Assign::Set(id(19)))]);
    assert_eq!(ids(&rows(store.execute(Verb::Update(job)).await.unwrap())), [19]);
}

#[tokio::test]
async fn a_row_may_take_its_own_reference_along() {
    let store = with_messages().await;
    insert(&store, &MESSAGES, vec![reply(1, 1)]).await.unwrap();
    let alone = change(&MESSAGES, 1, vec![(ID, Assign::Set(id(2)))]);
    assert_eq!(kind(store.execute(Verb::Update(alone)).await), missing_parent("Message", "Message"));
    let both = change(&MESSAGES, 1, vec![(ID, Assign::Set(id(2))), (REPLY_TO, Assign::Set(id(2)))]);
    assert_eq!(ids(&rows(store.execute(Verb::Update(both)).await.unwrap())), [2]);
}

#[tokio::test]
async fn a_delete_takes_everything_below_and_nothing_beside() {
    let store = with_messages().await;
    // A chain below the message of job 11, deep enough to end a recursion.
    insert(&store, &MESSAGES, vec![reply(1000, 111)]).await.unwrap();
    insert(&store, &MESSAGES, (1001..=20_000).map(|n| reply(n, n - 1)).collect()).await.unwrap();
    let others = select(&store, everything(&MESSAGES)).await.remove(2);
    assert_eq!(store.execute(Verb::Delete(removal(&USERS, 1))).await.unwrap(), Outcome::Count(1));
    assert_eq!(ids(&select(&store, everything(&USERS)).await), [2]);
    assert_eq!(ids(&select(&store, everything(&JOBS)).await), [21]);
    assert_eq!(select(&store, everything(&MESSAGES)).await, [others]);
    insert(&store, &USERS, vec![user(1)]).await.unwrap();
    insert(&store, &JOBS, vec![job(11, 1)]).await.unwrap();
    insert(&store, &MESSAGES, vec![message(111, 1, 11)]).await.unwrap();
}

#[tokio::test]
async fn a_delete_counts_and_returns_the_rows_that_were_meant() {
    let store = with_messages().await;
    insert(&store, &MESSAGES, vec![reply(300, 111), reply(301, 300)]).await.unwrap();
    // 300 and 301 are meant, and go with 111 as well.
    let all = Delete { key: None, filter: Filter::IsNull(JOB), returning: true, ..removal(&MESSAGES, 0) };
    assert_eq!(ids(&rows(store.execute(Verb::Delete(all)).await.unwrap())), [300, 301]);
    assert_eq!(store.execute(Verb::Delete(removal(&JOBS, 11))).await.unwrap(), Outcome::Count(1));
    assert_eq!(messages(&store).await, [121, 211]);
}

#[tokio::test]
async fn an_update_without_a_new_key_leaves_children_alone() {
    let store = with_messages().await;
    let same = Update { key: None, ..change(&JOBS, 11, vec![(STATE, Assign::Set(text("ACTIVE")))]) };
    assert_eq!(rows(store.execute(Verb::Update(same)).await.unwrap()).len(), 3);
    assert_eq!(messages(&store).await, [111, 121, 211]);
}
