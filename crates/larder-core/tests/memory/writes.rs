//! Writing: insert, update, delete, upsert, claim.

use larder_core::{
    Assign, Claim, Delete, ErrorKind, Filter, MemoryStore, Op, Outcome, Row, SortDirection::Asc, Store,
    Update, Upsert, Value, Verb,
};

use crate::tables::*;

async fn jobs(store: &MemoryStore) -> Vec<Row> {
    select(store, everything(&JOBS)).await
}

#[tokio::test]
async fn insert_is_all_or_nothing() {
    let store = with_users().await;
    let before = contents(&store).await;
    let rows = vec![job(1, 1), job(2, 1), job(1, 2)];
    assert_eq!(kind(insert(&store, &JOBS, rows).await), conflict("Job", "id"));
    assert_eq!(kind(insert(&store, &JOBS, vec![job(1, 1), job(2, 9)]).await), missing_parent("Job", "User"));
    let rows = vec![job(1, 1), with(job(2, 1), NAME, text(""))];
    assert_eq!(invalid_field(insert(&store, &JOBS, rows).await), "name");
    assert_eq!(contents(&store).await, before);
    assert_eq!(insert(&store, &JOBS, vec![]).await.unwrap(), Outcome::Count(0));
    assert_eq!(insert(&store, &JOBS, vec![job(1, 1), job(2, 1)]).await.unwrap(), Outcome::Count(2));
    assert_eq!(ids(&jobs(&store).await), [1, 2]);
}

#[tokio::test]
async fn what_a_failed_insert_touched_can_be_written_again() {
    let store = with_users().await;
    insert(&store, &JOBS, vec![job(1, 1), job(1, 1)]).await.unwrap_err();
    // Every index must have forgotten the first row.
    insert(&store, &JOBS, vec![job(1, 1)]).await.unwrap();
    insert(&store, &MESSAGES, vec![message(5, 1, 1)]).await.unwrap();
}

#[tokio::test]
async fn a_conflict_names_the_first_key_that_is_taken() {
    let store = with_users().await;
    insert(&store, &JOBS, vec![job(1, 1)]).await.unwrap();
    let named = |n, owner| with(job(n, owner), NAME, text("job 1"));
    assert_eq!(kind(insert(&store, &JOBS, vec![named(1, 1)]).await), conflict("Job", "id"));
    assert_eq!(kind(insert(&store, &JOBS, vec![named(2, 1)]).await), conflict("Job", "user_id, name"));
    assert_eq!(
        kind(insert(&store, &JOBS, vec![named(3, 2), named(4, 2)]).await),
        conflict("Job", "user_id, name")
    );
    insert(&store, &JOBS, vec![named(3, 2)]).await.unwrap();
}

#[tokio::test]
async fn the_worse_error_comes_first() {
    let store = with_users().await;
    insert(&store, &JOBS, vec![job(1, 1)]).await.unwrap();
    let invalid = with(job(1, 9), STATE, text("GONE"));
    assert_eq!(invalid_field(insert(&store, &JOBS, vec![job(1, 9), invalid]).await), "status");
    assert_eq!(kind(insert(&store, &JOBS, vec![job(2, 9), job(1, 9)]).await), conflict("Job", "id"));
}

#[tokio::test]
async fn nulls_never_conflict() {
    let store = empty();
    let anonymous = |n| with(user(n), EMAIL, Value::Null);
    insert(&store, &USERS, vec![anonymous(1), anonymous(2), with(user(3), EMAIL, text(""))]).await.unwrap();
    let empty_again = with(user(4), EMAIL, text(""));
    assert_eq!(kind(insert(&store, &USERS, vec![empty_again]).await), conflict("User", "email"));
    assert_eq!(store.execute(count(&USERS)).await.unwrap(), Outcome::Count(3));
}

#[tokio::test]
async fn rules_are_checked() {
    let store = with_users().await;
    let refused = [
        (NAME, Value::Null),
        (NAME, text("a name of more than twenty characters")),
        (RUNS, Value::Int(-1)),
        (RUNS, text("0")),
        (STATE, text("paused")),
        (SEARCH, text("NUL \0")),
        (WEIGHT, Value::Float(f64::NAN)),
    ];
    insert(&store, &JOBS, vec![job(1, 1)]).await.unwrap();
    for (column, value) in refused {
        let row = with(job(2, 1), column, value.clone());
        assert_eq!(invalid_field(insert(&store, &JOBS, vec![row]).await), JOBS.columns[column].name);
        let update = change(&JOBS, 1, vec![(column, Assign::Set(value))]);
        assert_eq!(invalid_field(store.execute(Verb::Update(update)).await), JOBS.columns[column].name);
    }
    assert_eq!(invalid_field(insert(&store, &JOBS, vec![vec![id(2)]]).await), "row");
    assert_eq!(jobs(&store).await.len(), 1);
}

#[tokio::test]
async fn twenty_thousand_rows() {
    let store = with_users().await;
    insert(&store, &JOBS, (1..=20_000).map(|n| job(n, 1)).collect()).await.unwrap();
    for n in 20_001..=20_500 {
        insert(&store, &JOBS, vec![job(n, 1)]).await.unwrap();
    }
    assert_eq!(store.execute(count(&JOBS)).await.unwrap(), Outcome::Count(20_500));
    assert_eq!(kind(insert(&store, &JOBS, vec![job(20_000, 1)]).await), conflict("Job", "id"));
    assert_eq!(store.execute(Verb::Delete(removal(&USERS, 1))).await.unwrap(), Outcome::Count(1));
    assert_eq!(store.execute(count(&JOBS)).await.unwrap(), Outcome::Count(0));
}

#[tokio::test]
async fn update_meets_key_filter_and_owner() {
    let store = with_users().await;
    insert(&store, &JOBS, vec![job(1, 1), job(2, 1), job(3, 2)]).await.unwrap();
    let set = || vec![(STATE, Assign::Set(text("ACTIVE")))];
    let paused = compare(STATE, Op::Eq, text("PAUSED"));
    let strangers = Update { owner: Some(uuid(2)), ..change(&JOBS, 1, set()) };
    assert_eq!(rows(store.execute(Verb::Update(strangers)).await.unwrap()), []);
    let guarded = Update { filter: paused.clone(), ..change(&JOBS, 1, set()) };
    let changed = rows(store.execute(Verb::Update(guarded.clone())).await.unwrap());
    let mut expected = with(job(1, 1), STATE, text("ACTIVE"));
    expected.truncate(JOBS.visible);
    assert_eq!(changed, [Row::new(expected)], "the visible columns, as they are afterwards");
    assert_eq!(rows(store.execute(Verb::Update(guarded)).await.unwrap()), [], "the guard holds no more");
    let all = Update {
        table: &JOBS,
        owner: Some(uuid(1)),
        key: None,
        filter: paused,
        set: set(),
        returning: false,
    };
    assert_eq!(store.execute(Verb::Update(all)).await.unwrap(), Outcome::Count(1));
    let states: Vec<_> = jobs(&store).await.iter().map(|row| row.get(STATE).cloned().unwrap()).collect();
    assert_eq!(states, [text("ACTIVE"), text("ACTIVE"), text("PAUSED")]);
}

#[tokio::test]
async fn an_update_changes_all_rows_or_none() {
    let store = with_users().await;
    insert(&store, &JOBS, vec![job(1, 1), job(2, 1), job(3, 2)]).await.unwrap();
    let before = contents(&store).await;
    let rename = |owner: Option<u128>| {
        let set = vec![(NAME, Assign::Set(text("same")))];
        let owner = owner.map(uuid);
        Verb::Update(Update {
            table: &JOBS,
            owner,
            key: None,
            filter: Filter::always(),
            set,
            returning: false,
        })
    };
    assert_eq!(kind(store.execute(rename(None)).await), conflict("Job", "user_id, name"));
    assert_eq!(contents(&store).await, before);
    assert_eq!(store.execute(rename(Some(2))).await.unwrap(), Outcome::Count(1));
    let taken = change(&JOBS, 2, vec![(NAME, Assign::Set(text("job 1")))]);
    assert_eq!(kind(store.execute(Verb::Update(taken)).await), conflict("Job", "user_id, name"));
    let own = change(&JOBS, 1, vec![(NAME, Assign::Set(text("job 1")))]);
    assert_eq!(
        rows(store.execute(Verb::Update(own)).await.unwrap()).len(),
        1,
        "a row never conflicts with itself"
    );
}

#[tokio::test]
async fn a_renamed_row_is_found_by_its_new_key_only() {
    let store = with_users().await;
    let email = |address: &str| (EMAIL, Assign::Set(text(address)));
    let update = change(&USERS, 1, vec![email("new@example.com"), (ID, Assign::Set(id(7)))]);
    store.execute(Verb::Update(update)).await.unwrap();
    assert_eq!(store.execute(get(&USERS, 1)).await.unwrap(), Outcome::Row(None));
    assert_eq!(store.execute(get(&USERS, 7)).await.unwrap().rows(), 1);
    insert(&store, &USERS, vec![user(1)]).await.unwrap();
    let update = change(&USERS, 1, vec![email("new@example.com")]);
    assert_eq!(kind(store.execute(Verb::Update(update)).await), conflict("User", "email"));
}

#[tokio::test]
async fn add_is_checked_and_needs_a_key() {
    let store = with_users().await;
    insert(&store, &JOBS, vec![with(job(1, 1), RUNS, Value::Int(i64::MAX - 5))]).await.unwrap();
    let add = |delta| Verb::Update(change(&JOBS, 1, vec![(RUNS, Assign::Add(delta))]));
    assert_eq!(invalid_field(store.execute(add(6)).await), "runs");
    let row = rows(store.execute(add(5)).await.unwrap()).remove(0);
    assert_eq!(row.get(RUNS), Some(&Value::Int(i64::MAX)));
    assert_eq!(invalid_field(store.execute(add(i64::MIN)).await), "runs", "the column's own range");
    let unkeyed = Update { key: None, ..change(&JOBS, 1, vec![(RUNS, Assign::Add(1))]) };
    assert_eq!(kind(store.execute(Verb::Update(unkeyed)).await), ErrorKind::Unsupported);
    insert(&store, &JOBS, vec![with(job(2, 1), RUNS, Value::Null)]).await.unwrap();
    let null = change(&JOBS, 2, vec![(RUNS, Assign::Add(1))]);
    assert_eq!(invalid_field(store.execute(Verb::Update(null)).await), "runs");
}

#[tokio::test]
async fn advance_always_moves_forward() {
    let store = with_users().await;
    insert(&store, &JOBS, vec![with(job(1, 1), DUE, time(100)), with(job(2, 1), DUE, time(300))])
        .await
        .unwrap();
    let set = vec![(DUE, Assign::Advance(instant(200)))];
    let all = Update { key: None, ..change(&JOBS, 1, set) };
    for expected in [[time(200), time(301)], [time(201), time(302)]] {
        let changed = rows(store.execute(Verb::Update(all.clone())).await.unwrap());
        let due: Vec<_> = changed.iter().map(|row| row.get(DUE).cloned().unwrap()).collect();
        assert_eq!(due, expected);
    }
}

#[tokio::test]
async fn delete_meets_key_filter_owner_and_limit() {
    let store = with_users().await;
    insert(&store, &JOBS, (1..=6).map(|n| job(n, 1 + n % 2)).collect()).await.unwrap();
    let strangers = Delete { owner: Some(uuid(2)), ..removal(&JOBS, 2) };
    assert_eq!(store.execute(Verb::Delete(strangers)).await.unwrap(), Outcome::Count(0));
    let returning = Delete { returning: true, ..removal(&JOBS, 2) };
    assert_eq!(ids(&rows(store.execute(Verb::Delete(returning)).await.unwrap())), [2]);
    let of_2 = compare(USER, Op::Eq, id(2));
    let some = Delete { key: None, filter: of_2, limit: Some(2), ..removal(&JOBS, 0) };
    assert_eq!(store.execute(Verb::Delete(some.clone())).await.unwrap(), Outcome::Count(2));
    assert_eq!(store.execute(Verb::Delete(some)).await.unwrap(), Outcome::Count(1));
    assert_eq!(ids(&jobs(&store).await), [4, 6]);
}

fn upsert(row: Vec<Value>, conflict: &'static [usize], set: Vec<(usize, Assign)>) -> Verb {
    Verb::Upsert(Upsert { table: &JOBS, row, conflict, set })
}

#[tokio::test]
async fn upsert_writes_or_changes() {
    let store = with_users().await;
    let put = |n, runs| {
        let row = with(with(job(n, 1), NAME, text("put")), RUNS, Value::Int(runs));
        upsert(row, &[USER, NAME], vec![(RUNS, Assign::Add(10))])
    };
    let written = |outcome| match outcome {
        Outcome::Row(Some(row)) => (ids(std::slice::from_ref(&row))[0], row.get(RUNS).cloned().unwrap()),
        other => panic!("a row, not {other:?}"),
    };
    assert_eq!(written(store.execute(put(1, 1)).await.unwrap()), (1, Value::Int(1)));
    assert_eq!(written(store.execute(put(2, 1)).await.unwrap()), (1, Value::Int(11)));
    assert_eq!(ids(&jobs(&store).await), [1]);
}

#[tokio::test]
async fn upsert_leaves_another_owners_row_alone() {
    let store = with_users().await;
    insert(&store, &JOBS, vec![job(1, 1)]).await.unwrap();
    let before = contents(&store).await;
    let verb = upsert(job(1, 2), &[ID], vec![(RUNS, Assign::Add(1))]);
    assert_eq!(kind(store.execute(verb).await), conflict("Job", "id"));
    assert_eq!(contents(&store).await, before);
}

#[tokio::test]
async fn upsert_reports_the_other_keys_and_rules() {
    let store = with_users().await;
    insert(&store, &JOBS, vec![job(1, 1), job(2, 1)]).await.unwrap();
    let before = contents(&store).await;
    let set = || vec![(RUNS, Assign::Add(1))];
    let same_id = upsert(with(job(1, 1), NAME, text("new")), &[USER, NAME], set());
    assert_eq!(kind(store.execute(same_id).await), conflict("Job", "id"));
    let renamed = upsert(job(1, 1), &[ID], vec![(NAME, Assign::Set(text("job 2")))]);
    assert_eq!(kind(store.execute(renamed).await), conflict("Job", "user_id, name"));
    let invalid = upsert(with(job(1, 1), RUNS, Value::Int(-1)), &[ID], set());
    assert_eq!(invalid_field(store.execute(invalid).await), "runs");
    assert_eq!(kind(store.execute(upsert(job(3, 9), &[ID], set())).await), missing_parent("Job", "User"));
    let no_key = upsert(job(3, 1), &[NAME], set());
    assert_eq!(kind(store.execute(no_key).await), ErrorKind::Unsupported);
    assert_eq!(contents(&store).await, before);
}

#[tokio::test]
async fn upsert_writes_when_its_key_holds_null() {
    let store = empty();
    for n in [1, 2] {
        let row = with(user(n), EMAIL, Value::Null);
        let set = vec![(2, Assign::Set(text("changed")))];
        let verb = Upsert { table: &USERS, row, conflict: &[EMAIL], set };
        assert_eq!(store.execute(Verb::Upsert(verb)).await.unwrap().rows(), 1);
    }
    assert_eq!(store.execute(count(&USERS)).await.unwrap(), Outcome::Count(2));
}

fn claim(limit: u32, fair_by: Option<usize>) -> Verb {
    let filter = compare(STATE, Op::Eq, text("ACTIVE"));
    let set = vec![(STATE, Assign::Set(text("PAUSED"))), (RUNS, Assign::Add(1))];
    Verb::Claim(Claim { table: &JOBS, filter, order: vec![by(DUE, Asc), by(ID, Asc)], fair_by, limit, set })
}

fn active(n: u128, owner: u128, due: i64) -> Vec<Value> {
    with(with(job(n, owner), STATE, text("ACTIVE")), DUE, time(due))
}

#[tokio::test]
async fn claim_takes_the_first_in_order_once() {
    let store = with_users().await;
    let rows_in = vec![active(1, 1, 30), active(2, 1, 10), active(3, 1, 20), job(4, 1), active(5, 2, 20)];
    insert(&store, &JOBS, rows_in).await.unwrap();
    assert_eq!(rows(store.execute(claim(0, None)).await.unwrap()), []);
    let claimed = rows(store.execute(claim(3, None)).await.unwrap());
    assert_eq!(ids(&claimed), [2, 3, 5]);
    assert!(
        claimed
            .iter()
            .all(|row| row.get(STATE) == Some(&text("PAUSED")) && row.get(RUNS) == Some(&Value::Int(1)))
    );
    assert_eq!(ids(&rows(store.execute(claim(3, None)).await.unwrap())), [1]);
    assert_eq!(rows(store.execute(claim(3, None)).await.unwrap()), []);
}

#[tokio::test]
async fn a_fair_claim_takes_turns() {
    let store = with_users().await;
    insert(&store, &USERS, vec![user(3)]).await.unwrap();
    let rows_in = [(1, 1, 1), (2, 1, 2), (3, 1, 3), (4, 2, 9), (5, 2, 8), (6, 3, 7)];
    insert(&store, &JOBS, rows_in.map(|(n, owner, due)| active(n, owner, due)).to_vec()).await.unwrap();
    // First turn: 1, 6, 5 by their times; second turn: 2, 4; third turn: 3.
    assert_eq!(ids(&rows(store.execute(claim(5, Some(USER))).await.unwrap())), [1, 6, 5, 2, 4]);
    assert_eq!(ids(&rows(store.execute(claim(5, Some(USER))).await.unwrap())), [3]);
}

#[tokio::test]
async fn null_takes_turns_as_one_value() {
    let store = with_users().await;
    let weighing = |n, weight| with(active(n, 1, 0), WEIGHT, weight);
    let light = Value::Float(1.0);
    let rows_in = vec![weighing(1, Value::Null), weighing(2, Value::Null), weighing(3, light)];
    insert(&store, &JOBS, rows_in).await.unwrap();
    assert_eq!(ids(&rows(store.execute(claim(9, Some(WEIGHT))).await.unwrap())), [1, 3, 2]);
}
