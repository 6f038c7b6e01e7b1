//! Each verb on a file and in memory, and what becomes of values.

use crate::common::{
    CONTENT, COUNT, FILLED_AT, Fixture, JARS, LABEL, LID, SEALED, SHELF, SHELVES, STATE, USER, conflict,
    count, done, equals, find, id, insert, invalid_field, jar, key, shelf, text, time, uuid, with,
};
use larder_core::{
    Assign, Claim, Count, Delete, ErrorKind, Filter, Get, Op, Order, Outcome, Row, Select, SortDirection,
    Sql, Store, Unit, Update, Upsert, Value, Verb,
};
use serde_json::json;

fn select(filter: Filter) -> Select {
    let order = vec![Order { column: 0, direction: SortDirection::Asc }];
    Select { table: &JARS, owner: None, filter, order, after: None, offset: 0, limit: None }
}

fn update(number: u128, set: Vec<(usize, Assign)>) -> Update {
    Update {
        table: &JARS,
        owner: None,
        key: Some(key(number)),
        filter: Filter::always(),
        set,
        returning: false,
    }
}

fn rows(outcome: Outcome) -> Vec<Row> {
    match outcome {
        Outcome::Rows(rows) => rows,
        other => panic!("not rows: {other:?}"),
    }
}

fn ids(outcome: Outcome) -> Vec<Value> {
    rows(outcome).into_iter().map(|row| row.values()[0].clone()).collect()
}

#[tokio::test]
async fn every_value_is_read_as_it_was_written() {
    for fixture in Fixture::both("").await {
        let full = with(jar(1), LID, id(1));
        let bare = with(with(jar(2), CONTENT, Value::Null), 9, Value::Null);
        let extreme = with(
            with(jar(3), COUNT, Value::Int(i64::MAX)),
            FILLED_AT,
            Value::Time(time("9999-12-31T23:59:59.999999Z")),
        );
        let written = [full, bare, extreme];
        fixture.store.execute(insert(&JARS, written.clone())).await.expect("insert");
        for (number, row) in (1..).zip(&written) {
            let found = find(&fixture.store, &JARS, number).await.expect("the row");
            assert_eq!(found.values(), &row[..JARS.visible]);
        }
        assert_eq!(find(&fixture.store, &JARS, 9).await, None);
    }
}

#[tokio::test]
async fn get_and_delete_pass_over_rows_of_another_owner() {
    for fixture in Fixture::both("").await {
        fixture.store.execute(insert(&JARS, [jar(1)])).await.expect("insert");
        let get = |owner| Verb::Get(Get { table: &JARS, owner: Some(uuid(owner)), key: key(1) });
        let delete = |owner| {
            Verb::Delete(Delete {
                table: &JARS,
                owner: Some(uuid(owner)),
                key: Some(key(1)),
                filter: Filter::always(),
                limit: None,
                returning: false,
            })
        };
        assert_eq!(done(&fixture.store, get(2)).await, Outcome::Row(None));
        assert_eq!(done(&fixture.store, delete(2)).await, Outcome::Count(0));
        assert_eq!(done(&fixture.store, get(1)).await.rows(), 1);
        assert_eq!(done(&fixture.store, delete(1)).await, Outcome::Count(1));
        assert_eq!(count(&fixture.store, &JARS).await, 0);
    }
}

#[tokio::test]
async fn select_filters_orders_and_cuts() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        store.execute(insert(&JARS, (1..=5).map(jar).collect::<Vec<_>>())).await.expect("insert");
        let from_two = Filter::Compare { column: 0, op: Op::Ge, value: id(2) };
        let page = Select { offset: 1, limit: Some(2), ..select(from_two.clone()) };
        assert_eq!(ids(store.execute(Verb::Select(page)).await.expect("select")), [id(3), id(4)]);
        let after = Select { after: Some(vec![id(4)]), ..select(from_two.clone()) };
        assert_eq!(ids(store.execute(Verb::Select(after)).await.expect("select")), [id(5)]);
        let counted = Count { table: &JARS, owner: Some(uuid(1)), filter: from_two };
        assert_eq!(done(&fixture.store, Verb::Count(counted)).await, Outcome::Count(4));
        let many = Filter::In { column: 0, values: (3..40_000).map(id).collect() };
        assert_eq!(done(&fixture.store, Verb::Select(select(many))).await.rows(), 3);
        let search = Filter::Contains { column: LABEL, text: "r 2".to_owned() };
        assert_eq!(ids(store.execute(Verb::Select(select(search))).await.expect("search")), [id(2)]);
    }
}

#[tokio::test]
async fn inserts_of_any_number_of_rows_are_all_or_nothing() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        assert_eq!(done(&fixture.store, insert(&JARS, [])).await, Outcome::Count(0));
        let mut many: Vec<_> = (1..=1000).map(jar).collect();
        assert_eq!(done(&fixture.store, insert(&JARS, many.clone())).await, Outcome::Count(1000));
        store.sql(Sql::portable("DELETE FROM jars")).await.expect("delete");
        // The conflict is between two rows of the verb, in different statements.
        many.push(with(jar(2000), LABEL, text("jar 7")));
        let error = store.execute(insert(&JARS, many)).await.expect_err("conflict");
        assert_eq!(*error.kind(), conflict("Jar", "user_id, label"));
        assert_eq!(count(store, &JARS).await, 0);
    }
}

#[tokio::test]
async fn updates_set_add_and_advance() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        store.execute(insert(&JARS, [jar(1), jar(2)])).await.expect("insert");
        let before = time("1969-12-31T23:59:59.999999Z");
        let set = vec![
            (LABEL, Assign::Set(text("new"))),
            (COUNT, Assign::Add(4)),
            (FILLED_AT, Assign::Advance(before)),
            (CONTENT, Assign::Set(Value::Null)),
        ];
        let changed =
            store.execute(Verb::Update(Update { returning: true, ..update(1, set) })).await.expect("update");
        let expected = [
            (LABEL, text("new")),
            (COUNT, Value::Int(7)),
            (FILLED_AT, Value::Time(time("1970-01-01T00:00:00Z"))),
            (CONTENT, Value::Null),
        ];
        let expected = expected.into_iter().fold(jar(1), |row, (column, value)| with(row, column, value));
        assert_eq!(rows(changed), [Row::new(expected[..JARS.visible].to_vec())]);
        let untouched = find(store, &JARS, 2).await.expect("the other row");
        assert_eq!(untouched.values(), &jar(2)[..JARS.visible]);

        let guarded =
            Update { filter: equals(COUNT, Value::Int(99)), ..update(1, vec![(COUNT, Assign::Add(1))]) };
        assert_eq!(done(&fixture.store, Verb::Update(guarded)).await, Outcome::Count(0));
    }
}

#[tokio::test]
async fn a_sum_that_overflows_is_invalid_and_changes_nothing() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        store.execute(insert(&JARS, [jar(1)])).await.expect("insert");
        let add = || vec![(SEALED, Assign::Set(Value::Bool(false))), (COUNT, Assign::Add(i64::MAX))];
        let error = store.execute(Verb::Update(update(1, add()))).await.expect_err("overflow");
        assert_eq!(invalid_field(&error), "count");
        let upsert = Upsert { table: &JARS, row: jar(1), conflict: &[0], set: add() };
        let error = store.execute(Verb::Upsert(upsert)).await.expect_err("overflow");
        assert_eq!(invalid_field(&error), "count");
        let found = find(store, &JARS, 1).await.expect("the row");
        assert_eq!(found.values(), &jar(1)[..JARS.visible]);
    }
}

#[tokio::test]
async fn upsert_writes_changes_or_refuses() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        let set = vec![(COUNT, Assign::Set(Value::Int(8)))];
        let upsert =
            |row| Verb::Upsert(Upsert { table: &JARS, row, conflict: &[USER, LABEL], set: set.clone() });
        let new = store.execute(upsert(jar(1))).await.expect("insert");
        assert_eq!(new, Outcome::Row(Some(Row::new(jar(1)[..JARS.visible].to_vec()))));
        let same_label = with(jar(2), LABEL, text("jar 1"));
        let changed = store.execute(upsert(same_label)).await.expect("update");
        let expected = with(jar(1), COUNT, Value::Int(8));
        assert_eq!(changed, Outcome::Row(Some(Row::new(expected[..JARS.visible].to_vec()))));
        // Another label, but the primary key of the row that is there.
        let error = store.execute(upsert(with(jar(1), LABEL, text("other")))).await.expect_err("conflict");
        assert_eq!(*error.kind(), conflict("Jar", "id"));

        let of_another = with(with(jar(1), USER, id(2)), LABEL, text("jar 1"));
        let by_id = Upsert { table: &JARS, row: of_another, conflict: &[0], set };
        let error = store.execute(Verb::Upsert(by_id)).await.expect_err("another's row");
        assert_eq!(*error.kind(), conflict("Jar", "id"));
    }
}

#[tokio::test]
async fn claims_take_turns_and_answer_in_order() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        let of_user = |number, user| with(jar(number), USER, id(user));
        let jars = [of_user(1, 1), of_user(2, 1), of_user(3, 1), of_user(4, 2)];
        store.execute(insert(&JARS, jars)).await.expect("insert");
        let claim = |limit| {
            Verb::Claim(Claim {
                table: &JARS,
                filter: equals(STATE, text("FULL")),
                order: vec![Order { column: 0, direction: SortDirection::Asc }],
                fair_by: Some(USER),
                limit,
                set: vec![(STATE, Assign::Set(text("EMPTY")))],
            })
        };
        assert_eq!(ids(store.execute(claim(0)).await.expect("claim")), []);
        assert_eq!(ids(store.execute(claim(3)).await.expect("claim")), [id(1), id(4), id(2)]);
        assert_eq!(ids(store.execute(claim(3)).await.expect("claim")), [id(3)]);
        assert_eq!(ids(store.execute(claim(3)).await.expect("claim")), []);
    }
}

#[tokio::test]
async fn a_delete_takes_the_children_along_and_keeps_its_limit() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        store.execute(insert(&JARS, (1..=5).map(jar).collect::<Vec<_>>())).await.expect("insert");
        let delete = Delete {
            table: &JARS,
            owner: None,
            key: None,
            filter: Filter::always(),
            limit: Some(2),
            returning: true,
        };
        assert_eq!(rows(store.execute(Verb::Delete(delete.clone())).await.expect("delete")).len(), 2);
        assert_eq!(count(store, &JARS).await, 3);
        let shelf = Delete { table: &SHELVES, limit: None, ..delete };
        assert_eq!(rows(store.execute(Verb::Delete(shelf)).await.expect("delete")).len(), 1);
        assert_eq!(count(store, &JARS).await, 0);
    }
}

#[tokio::test]
async fn units_happen_wholly_or_not_at_all() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        let missing = ErrorKind::NotFound { entity: "Jar".into() };
        let unit = |number| {
            Unit::default()
                .then(insert(&SHELVES, [shelf(2, "below", None)]))
                .then(insert(&JARS, [with(jar(1), SHELF, id(2))]))
                .then_some(Verb::Get(Get { table: &JARS, owner: None, key: key(number) }), missing.clone())
        };
        assert!(store.run(Unit::default()).await.expect("nothing").is_empty());
        let error = store.run(unit(7)).await.expect_err("not met");
        assert_eq!(*error.kind(), missing);
        assert_eq!((count(store, &SHELVES).await, count(store, &JARS).await), (1, 0));
        let outcomes = store.run(unit(1)).await.expect("met");
        assert_eq!(outcomes.iter().map(Outcome::rows).collect::<Vec<_>>(), [1, 1, 1]);

        let reads =
            Unit::default().then(crate::common::count_of(&SHELVES)).then(crate::common::count_of(&JARS));
        let outcomes = store.run(reads.clone()).await.expect("reads");
        assert_eq!(outcomes, [Outcome::Count(2), Outcome::Count(1)]);
        // A reader that has served a unit is not left in its snapshot.
        store.execute(insert(&SHELVES, [shelf(3, "bottom", None)])).await.expect("insert");
        for _ in 0..8 {
            assert_eq!(store.run(reads.clone()).await.expect("reads")[0], Outcome::Count(3));
        }
    }
}

#[tokio::test]
async fn what_is_stored_wrongly_is_corrupt() {
    for fixture in Fixture::both("").await {
        let store = &fixture.store;
        // The same columns without STRICT and CHECK, so that anything can be stored.
        let loose = "DROP TABLE jars; CREATE TABLE jars (id, user_id, shelf_id, lid_id, label, sealed, count, weight, \
                     content, picture, filled_at, state, label_search)";
        store.sql(Sql::portable(loose)).await.expect("loose table");
        let wrong = [
            (SEALED, "2"),
            (COUNT, "'three'"),
            (7, "1"),
            (LABEL, "x'ff'"),
            (CONTENT, "'{'"),
            (CONTENT, "'\"\\u0000\"'"),
            (9, "'text'"),
            (FILLED_AT, "9223372036854775807"),
            (FILLED_AT, "253402300800000000"),
            (SHELF, "x'00'"),
        ];
        for (column, value) in wrong {
            let name = JARS.columns[column].name;
            store.sql(Sql::portable("DELETE FROM jars")).await.expect("delete");
            store.execute(insert(&JARS, [jar(1)])).await.expect("insert");
            store.sql(Sql::portable(format!("UPDATE jars SET {name} = {value}"))).await.expect("damage");
            let error = store.execute(crate::common::get(&JARS, 1)).await.expect_err(name);
            assert_eq!(
                *error.kind(),
                ErrorKind::Corrupt { entity: "Jar".into(), field: name.into() },
                "{value}"
            );
        }
        let odd = r#"UPDATE jars SET shelf_id = id, content = '{"b": 1e2, "a": 1, "b": 2.0}'"#;
        store.sql(Sql::portable(odd)).await.expect("damage");
        let found = find(store, &JARS, 1).await.expect("the row");
        assert_eq!(found.values()[CONTENT], Value::Json(json!({"a": 1, "b": 2})));
    }
}
