//! Each verb on a real server.

use crate::common::*;
use larder_core::{
    Assign, Claim, Error, ErrorKind, Filter, Get, Op, Outcome, Require, SortDirection, Step, Store, Unit,
    Value, Verb,
};

#[tokio::test]
async fn what_is_written_is_read() {
    let (_fixture, store) = with_users().await;
    let full = job(1, 1);
    let mut bare = job(1, 2);
    for column in [4, 6, 7, 8, 9] {
        bare[column] = Value::Null;
    }
    assert_eq!(number(&*store, insert(&JOBS, vec![full.clone()])).await, 1);
    assert_eq!(number(&*store, insert(&JOBS, vec![bare.clone(), job(1, 3)])).await, 2);
    assert_eq!(row(&*store, get(1)).await, Some(visible(&full)));
    assert_eq!(row(&*store, get(2)).await, Some(visible(&bare)));
    assert_eq!(row(&*store, get(3)).await, Some(visible(&job(1, 3))));
    assert_eq!(row(&*store, get(4)).await, None);
}

#[tokio::test]
async fn extreme_values_are_kept() {
    let (_fixture, store) = with_users().await;
    let times = ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"];
    let floats = [f64::MIN_POSITIVE, f64::MAX, 1.0 / 3.0];
    let jsons = ["9007199254740993", "0.1", "1e300", r#"{"a":[{"b":""}],"ß":"𝄞"}"#];
    for (index, &moment) in times.iter().enumerate() {
        let mut row = job(1, 10 + index as u128);
        row[4] = Value::Time(moment.parse().unwrap());
        row[5] = Value::Int(i64::MAX - index as i64);
        row[6] = Value::Float(floats[index]);
        store.execute(insert(&JOBS, vec![row.clone()])).await.unwrap();
        assert_eq!(crate::common::row(&*store, get(10 + index as u128)).await, Some(visible(&row)));
    }
    for (index, &json) in jsons.iter().enumerate() {
        let json = larder_core::canonical(serde_json::from_str(json).unwrap()).unwrap();
        let row = with(job(1, 20 + index as u128), CONTENT, Value::Json(json));
        store.execute(insert(&JOBS, vec![row.clone()])).await.unwrap();
        assert_eq!(crate::common::row(&*store, get(20 + index as u128)).await, Some(visible(&row)));
    }
}

#[tokio::test]
async fn another_owners_row_is_not_there() {
    let (_fixture, store) = with_users().await;
    store.execute(insert(&JOBS, vec![job(1, 1)])).await.unwrap();
    let look_up = |owner| Verb::Get(Get { table: &JOBS, owner: Some(id(owner)), key: key(1) });
    assert!(row(&*store, look_up(1)).await.is_some());
    assert_eq!(row(&*store, look_up(2)).await, None);
    let theirs =
        larder_core::Update { owner: Some(id(2)), ..update(1, vec![(TOKENS, Assign::Set(Value::Int(9)))]) };
    assert_eq!(rows(&*store, Verb::Update(theirs)).await, []);
    let theirs = larder_core::Delete { owner: Some(id(2)), ..delete(1) };
    assert_eq!(number(&*store, Verb::Delete(theirs)).await, 0);
    assert_eq!(row(&*store, get(1)).await, Some(visible(&job(1, 1))));
}

#[tokio::test]
async fn filters() {
    let (_fixture, store) = with_users().await;
    let mut jobs: Vec<_> = (1..=4).map(|number| job(1, number)).collect();
    jobs[0][NAME] = text("100%_\\é");
    jobs[1][STATUS_OF] = text("PAUSED");
    jobs[2][NEXT] = Value::Null;
    jobs[3][CONTENT] = Value::Json(serde_json::json!([1]));
    store.execute(insert(&JOBS, jobs)).await.unwrap();
    let met = async |filter: Filter| {
        let select = select(filter, vec![by(0, SortDirection::Asc)]);
        numbers(&rows(&*store, Verb::Select(select)).await)
    };
    let contains = |text: &str| Filter::Contains { column: NAME, text: text.to_owned() };
    assert_eq!(met(contains("%_\\")).await, [1]);
    assert_eq!(met(contains("100_")).await, []);
    assert_eq!(met(contains("JOB")).await, []);
    assert_eq!(met(contains("")).await, [1, 2, 3, 4]);
    assert_eq!(met(contains("\0")).await, []);
    assert_eq!(met(compare(STATUS_OF, Op::Eq, text("PAUSED"))).await, [2]);
    assert_eq!(met(compare(STATUS_OF, Op::Ne, text("nonsense"))).await, [1, 2, 3, 4]);
    // By text: ACTIVE < PAUSED, though PAUSED is declared first.
    assert_eq!(met(compare(STATUS_OF, Op::Lt, text("B"))).await, [1, 3, 4]);
    assert_eq!(met(compare(NEXT, Op::Ne, Value::Time(time(1)))).await, [2, 4]);
    assert_eq!(met(compare(NEXT, Op::Eq, Value::Null)).await, []);
    assert_eq!(met(Filter::IsNull(NEXT)).await, [3]);
    assert_eq!(met(compare(CONTENT, Op::Eq, Value::Json(serde_json::json!([1])))).await, [4]);
    assert_eq!(met(compare(CONTENT, Op::Lt, Value::Json(serde_json::json!([1])))).await, []);
    assert_eq!(met(compare(NAME, Op::Eq, Value::Int(1))).await, []);
    assert_eq!(met(Filter::Any(vec![])).await, []);
    let ids = |numbers: std::ops::Range<u128>| numbers.map(|number| Value::Uuid(id(number))).collect();
    assert_eq!(met(Filter::In { column: 0, values: ids(2..70_000) }).await, [2, 3, 4]);
    let values = vec![text("PAUSED"), text("nonsense"), Value::Null];
    assert_eq!(met(Filter::In { column: STATUS_OF, values }).await, [2]);
    let both = compare(TOKENS, Op::Ge, Value::Int(2)).and(compare(TOKENS, Op::Le, Value::Int(3)));
    assert_eq!(met(both.or(Filter::IsNull(0))).await, [2, 3]);
}

/// Pages of every size, by position, make up the whole list, whatever the order.
#[tokio::test]
async fn walks_by_position() {
    let (_fixture, store) = with_users().await;
    let mut jobs: Vec<_> = (1..=9).map(|number| job(1, number)).collect();
    for (index, job) in jobs.iter_mut().enumerate() {
        job[NEXT] = if index % 3 == 0 { Value::Null } else { Value::Time(time((index % 3) as i64)) };
        job[STATUS_OF] = text(["PAUSED", "ACTIVE", "ARCHIVED"][index % 3]);
    }
    store.execute(insert(&JOBS, jobs)).await.unwrap();
    use SortDirection::{Asc, Desc};
    let orders = [
        vec![by(NEXT, Asc), by(0, Asc)],
        vec![by(NEXT, Desc), by(0, Desc)],
        vec![by(STATUS_OF, Asc), by(0, Asc)],
        vec![by(STATUS_OF, Desc), by(0, Asc)],
        vec![by(TOKENS, Desc), by(0, Desc)],
    ];
    let firsts = [[2, 5, 8], [9, 6, 3], [2, 5, 8], [1, 4, 7], [9, 8, 7]];
    for (order, first) in orders.into_iter().zip(firsts) {
        let whole = select(Filter::always(), order.clone());
        let whole = rows(&*store, Verb::Select(whole)).await;
        assert_eq!(numbers(&whole)[..3], first, "{order:?}");
        for size in 1..=10 {
            let (mut walked, mut after) = (Vec::new(), None);
            loop {
                let page = larder_core::Select {
                    after,
                    limit: Some(size),
                    ..select(Filter::always(), order.clone())
                };
                let page = rows(&*store, Verb::Select(page)).await;
                let Some(last) = page.last() else { break };
                after = Some(order.iter().map(|by| last.get(by.column).unwrap().clone()).collect());
                walked.extend(page);
            }
            assert_eq!(walked, whole, "{order:?}, pages of {size}");
        }
        let middle = larder_core::Select { offset: 2, limit: Some(3), ..select(Filter::always(), order) };
        assert_eq!(rows(&*store, Verb::Select(middle)).await, whole[2..5]);
    }
}

#[tokio::test]
async fn many_rows_are_one_insert() {
    let (_fixture, store) = with_users().await;
    assert_eq!(number(&*store, insert(&JOBS, vec![])).await, 0);
    let jobs: Vec<_> = (1..=20_000).map(|number| job(1, number)).collect();
    assert_eq!(number(&*store, insert(&JOBS, jobs)).await, 20_000);
    // Too large for one statement, and its last row is refused: none of it is there.
    let big = |number| with(job(1, number), SECRET, Value::Bytes(vec![7; 1_500_000]));
    let mut jobs: Vec<_> = (30_000..30_060).map(big).collect();
    jobs.push(job(1, 1));
    assert_eq!(kind(store.execute(insert(&JOBS, jobs)).await), conflict("id"));
    assert_eq!(number(&*store, count(&JOBS)).await, 20_000);
}

fn conflict(field: &'static str) -> ErrorKind {
    Error::conflict("Job", field).kind().clone()
}

#[tokio::test]
async fn updates() {
    let (_fixture, store) = with_users().await;
    store.execute(insert(&JOBS, vec![job(1, 1), job(1, 2), job(2, 3)])).await.unwrap();
    let set = vec![
        (TOKENS, Assign::Add(41)),
        (NEXT, Assign::Set(Value::Null)),
        (STATUS_OF, Assign::Set(text("ARCHIVED"))),
        (UPDATED, Assign::Advance(time(0))),
    ];
    let changed = rows(&*store, Verb::Update(update(1, set))).await;
    let mut expected = job(1, 1);
    expected[TOKENS] = Value::Int(42);
    expected[NEXT] = Value::Null;
    expected[STATUS_OF] = text("ARCHIVED");
    expected[UPDATED] = Value::Time(time(0) + chrono::TimeDelta::microseconds(1));
    assert_eq!(changed, [visible(&expected)]);
    // Not by key: the choice is the filter.
    let all = larder_core::Update {
        key: None,
        filter: compare(TOKENS, Op::Gt, Value::Int(2)),
        returning: false,
        ..update(1, vec![(NEXT, Assign::Set(Value::Time(time(99))))])
    };
    assert_eq!(number(&*store, Verb::Update(all)).await, 2);
    assert_eq!(row(&*store, get(2)).await, Some(visible(&job(1, 2))));
    let guarded = larder_core::Update {
        filter: compare(TOKENS, Op::Eq, Value::Int(1)),
        ..update(1, vec![(TOKENS, Assign::Set(Value::Int(7)))])
    };
    assert_eq!(rows(&*store, Verb::Update(guarded)).await, []);
}

#[tokio::test]
async fn a_sum_out_of_range_names_its_column() {
    let (_fixture, store) = with_users().await;
    store.execute(insert(&JOBS, vec![with(job(1, 1), TOKENS, Value::Int(i64::MAX - 1))])).await.unwrap();
    let add = |delta| Verb::Update(update(1, vec![(TOKENS, Assign::Add(delta))]));
    let ErrorKind::Invalid { entity, field, .. } = kind(store.execute(add(2)).await) else { panic!() };
    assert_eq!((&*entity, &*field), ("Job", "tokens"));
    let put = upsert(job(1, 1), vec![(TOKENS, Assign::Add(2))]);
    assert!(matches!(kind(store.execute(put).await), ErrorKind::Invalid { field, .. } if field == "tokens"));
    assert_eq!(rows(&*store, add(1)).await.len(), 1);
    let of_all = Verb::Update(larder_core::Update { key: None, ..update(1, vec![(TOKENS, Assign::Add(1))]) });
    assert_eq!(kind(store.execute(of_all).await), ErrorKind::Unsupported);
}

#[tokio::test]
async fn deletes() {
    let (_fixture, store) = with_users().await;
    store.execute(insert(&JOBS, (1..=6).map(|number| job(1, number)).collect())).await.unwrap();
    let one = larder_core::Delete { returning: true, ..delete(1) };
    assert_eq!(rows(&*store, Verb::Delete(one)).await, [visible(&job(1, 1))]);
    assert_eq!(number(&*store, Verb::Delete(delete(1))).await, 0);
    let purge = || {
        let filter = compare(TOKENS, Op::Gt, Value::Int(3));
        Verb::Delete(larder_core::Delete { key: None, filter, limit: Some(2), ..delete(1) })
    };
    assert_eq!(number(&*store, purge()).await, 2);
    assert_eq!(number(&*store, purge()).await, 1);
    assert_eq!(number(&*store, purge()).await, 0);
    // What belongs to the user goes with the user.
    let user = larder_core::Delete { table: &USERS, ..delete(1) };
    assert_eq!(number(&*store, Verb::Delete(user)).await, 1);
    assert_eq!(number(&*store, count(&JOBS)).await, 0);
}

#[tokio::test]
async fn upserts() {
    let (_fixture, store) = with_users().await;
    let set = || vec![(TOKENS, Assign::Add(10)), (STATUS_OF, Assign::Set(text("ARCHIVED")))];
    assert_eq!(row(&*store, upsert(job(1, 1), set())).await, Some(visible(&job(1, 1))));
    let changed = with(with(job(1, 1), TOKENS, Value::Int(11)), STATUS_OF, text("ARCHIVED"));
    assert_eq!(row(&*store, upsert(job(1, 1), set())).await, Some(visible(&changed)));
    // Somebody else's row, and another key that is taken.
    assert_eq!(kind(store.execute(upsert(job(2, 1), set())).await), conflict("id"));
    let same_name = with(job(1, 2), NAME, text("job 1"));
    assert_eq!(kind(store.execute(upsert(same_name, set())).await), conflict("user_id, name"));
    assert_eq!(row(&*store, get(1)).await, Some(visible(&changed)));
}

fn claim(limit: u32, fair: bool) -> Claim {
    Claim {
        table: &JOBS,
        filter: compare(STATUS_OF, Op::Eq, text("ACTIVE")),
        order: vec![by(NEXT, SortDirection::Asc), by(0, SortDirection::Asc)],
        fair_by: fair.then_some(USER),
        limit,
        set: vec![(STATUS_OF, Assign::Set(text("ARCHIVED"))), (TOKENS, Assign::Add(1))],
    }
}

#[tokio::test]
async fn claims_come_in_order_and_take_turns() {
    let (_fixture, store) = with_users().await;
    let mut jobs: Vec<_> = (1..=8).map(|number| job(1, number)).collect();
    jobs[0][NEXT] = Value::Null;
    jobs.extend([job(2, 101), job(2, 102)]);
    store.execute(insert(&JOBS, jobs)).await.unwrap();
    assert_eq!(rows(&*store, Verb::Claim(claim(0, false))).await, []);
    let first = rows(&*store, Verb::Claim(claim(2, false))).await;
    assert_eq!(numbers(&first), [2, 3]);
    assert_eq!(first[0].get(TOKENS), Some(&Value::Int(3)));
    assert_eq!(numbers(&rows(&*store, Verb::Claim(claim(4, true))).await), [4, 101, 5, 102]);
    assert_eq!(numbers(&rows(&*store, Verb::Claim(claim(9, true))).await), [6, 7, 8, 1]);
    assert_eq!(rows(&*store, Verb::Claim(claim(9, true))).await, []);
}

#[tokio::test]
async fn claims_hold_their_limit_whatever_the_plan() {
    let (fixture, store) = with_users().await;
    store.execute(insert(&JOBS, (1..=1000).map(|number| job(1, number)).collect())).await.unwrap();
    let set = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET enable_hashjoin = off', current_database());
        EXECUTE format('ALTER DATABASE %I SET enable_mergejoin = off', current_database());
        EXECUTE format('ALTER DATABASE %I SET enable_material = off', current_database()); END $$";
    store.sql(larder_core::Sql::portable(set)).await.unwrap();
    let nested = fixture.store("").await;
    assert_eq!(rows(&*nested, Verb::Claim(claim(5, false))).await.len(), 5);
    assert_eq!(rows(&*nested, Verb::Claim(claim(5, true))).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_claims_share_nothing() {
    let (_fixture, store) = with_users().await;
    store
        .execute(insert(&JOBS, (1..=200).map(|number| job(1 + number % 2, number)).collect()))
        .await
        .unwrap();
    let workers = (0..8).map(|worker| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut claimed = Vec::new();
            loop {
                let rows = rows(&*store, Verb::Claim(claim(3, worker % 2 == 0))).await;
                if rows.is_empty() && number(&*store, active()).await == 0 {
                    return claimed;
                }
                assert!(rows.len() <= 3);
                claimed.extend(numbers(&rows));
            }
        })
    });
    let mut claimed = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        claimed.extend(worker.await.unwrap());
    }
    claimed.sort_unstable();
    assert_eq!(claimed, (1..=200).collect::<Vec<_>>());
}

fn active() -> Verb {
    let filter = compare(STATUS_OF, Op::Eq, text("ACTIVE"));
    Verb::Count(larder_core::Count { table: &JOBS, owner: None, filter })
}

#[tokio::test]
async fn a_unit_happens_wholly_or_not_at_all() {
    let (_fixture, store) = with_users().await;
    let not_found = || ErrorKind::NotFound { entity: "User".into() };
    let unit =
        Unit::default().then_some(get_user(1), not_found()).then(insert(&JOBS, vec![job(1, 1)])).then(get(1));
    let outcomes = store.run(unit).await.unwrap();
    assert_eq!(outcomes[1..], [Outcome::Count(1), Outcome::Row(Some(visible(&job(1, 1))))]);
    let unit = Unit::default().then(insert(&JOBS, vec![job(1, 2)])).then_some(get_user(9), not_found());
    assert_eq!(kind(store.run(unit).await), not_found());
    let unit = Unit::default().then(insert(&JOBS, vec![job(1, 2)])).then(insert(&JOBS, vec![job(1, 1)]));
    assert_eq!(kind(store.run(unit).await), conflict("id"));
    // A single step that did what it must not have done.
    let verb = rename(1, "other");
    let step = Step { verb, require: Require::NoRow { otherwise: not_found() } };
    assert_eq!(kind(store.run(Unit { steps: vec![step] }).await), not_found());
    assert_eq!(rows(&*store, Verb::Select(select(Filter::always(), vec![]))).await, [visible(&job(1, 1))]);
    assert_eq!(store.run(Unit::default()).await.unwrap(), []);
}

/// Two units that guard the same row and change it do not deadlock, and both count.
#[tokio::test(flavor = "multi_thread")]
async fn guarded_units_on_one_row_all_succeed() {
    let (_fixture, store) = with_users().await;
    store.execute(insert(&JOBS, vec![with(job(1, 1), TOKENS, Value::Int(0))])).await.unwrap();
    let units = (0..50).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let gone = ErrorKind::NotFound { entity: "Job".into() };
            let unit = Unit::default()
                .then_some(get(1), gone)
                .then(Verb::Update(update(1, vec![(TOKENS, Assign::Add(1))])));
            store.run(unit).await.unwrap();
        })
    });
    for unit in units.collect::<Vec<_>>() {
        unit.await.unwrap();
    }
    assert_eq!(row(&*store, get(1)).await.unwrap().get(TOKENS), Some(&Value::Int(50)));
}
