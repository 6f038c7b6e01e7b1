//! Patches: what is named changes, all else stays as it is.

use std::cmp::Ordering;

use chrono::TimeDelta;
use larder::{
    ColumnType, Entity, ErrorKind, Filter, Id, Order, Repo, Result, Row, SortDirection, Table, Value,
    model::*,
};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::{
    World,
    entities::{Folder, NewNote, Note, NotePatch, Specimen, SpecimenPatch},
    samples::{as_json, row_of_each, sample},
    together,
};

cases! {
    /// Each field of each entity, set to a value and to null alone: the field changes, `updated_at` moves,
    /// and every other column of the row and of every other row stays as it was. Null for a field that has
    /// none is refused.
    #[covers(23)]
    async fn a_patch_changes_its_field_and_nothing_else(world: World) {
        let mine = filled(&world).await?;
        let system = world.system();
        each_field(&world, &system.repo::<Specimen>()).await?;
        each_field(&world, &system.repo::<User>()).await?;
        each_field(&world, &mine.repo::<Job>()).await?;
        each_field(&world, &mine.repo::<Message>()).await?;
        each_field(&world, &mine.repo::<Note>()).await?;
        each_field(&world, &mine.repo::<Folder>()).await?;
    }

    /// A patch has exactly the fields that a caller may change: not the id, the owner, the parent, the
    /// timestamps, the lease or the token counts; a patch that names one of them, or a field that does not
    /// exist, cannot be read.
    #[covers(23)]
    async fn a_patch_has_no_field_that_a_caller_may_not_change(world: World) {
        drop(world);
        let stamps = ["id", "created_at", "updated_at"];
        let owned = ["id", "user_id", "created_at", "updated_at"];
        let of_job = [
            "id",
            "user_id",
            "locked_until",
            "lock_owner",
            "lock_token",
            "input_tokens",
            "output_tokens",
            "reasoning_tokens",
            "cached_input_tokens",
            "total_tokens",
            "created_at",
            "updated_at",
        ];
        assert_eq!(unpatchable::<Specimen>(), stamps);
        assert_eq!(unpatchable::<User>(), stamps);
        assert_eq!(unpatchable::<Note>(), owned);
        assert_eq!(unpatchable::<Message>(), ["id", "user_id", "job_id", "created_at", "updated_at"]);
        assert_eq!(unpatchable::<Job>(), of_job);
        assert!(serde_json::from_value::<JobPatch>(json!({"no_such_field": 1})).is_err());
    }

    /// A patch of several fields changes all of them at once; one of which a single field is refused changes
    /// none.
    #[covers(23)]
    async fn a_patch_is_all_or_nothing(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let made = specimens.create(Specimen::plain("one")).await?;
        specimens.create(Specimen::plain("taken")).await?;
        let good = || SpecimenPatch {
            number: 5.into(),
            text_maybe: Some("x".to_owned()).into(),
            ..SpecimenPatch::default()
        };
        let broken = [
            SpecimenPatch { level: 101.into(), ..good() },
            SpecimenPatch { link: Some("nowhere".to_owned()).into(), ..good() },
            SpecimenPatch { label: "taken".to_owned().into(), ..good() },
        ];
        let before = world.rows(Specimen::TABLE).await?;
        for patch in broken {
            specimens.update(made.id, patch).await.unwrap_err();
            assert_eq!(world.rows(Specimen::TABLE).await?, before);
        }
        let patched = specimens.update(made.id, good()).await?;
        let updated_at = patched.updated_at;
        assert_eq!(patched, Specimen { number: 5, text_maybe: Some("x".into()), updated_at, ..made });
        assert_eq!(specimens.get(patched.id).await?, Some(patched));
    }

    /// A patch that sets nothing is `Invalid` and changes nothing, also of a row that does not exist.
    #[covers(24)]
    async fn an_empty_patch_is_invalid(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let made = specimens.create(Specimen::plain("one")).await?;
        world.clock().advance(TimeDelta::seconds(1));
        let before = world.all_rows().await?;
        for id in [made.id, Id::from_uuid(uuid::Uuid::from_u128(404))] {
            for patch in [SpecimenPatch::default(), serde_json::from_str("{}")?] {
                let refused = specimens.update(id, patch).await.unwrap_err();
                let ErrorKind::Invalid { entity, field, .. } = refused.kind() else { panic!("{refused:?}") };
                assert_eq!((&**entity, &**field), ("Specimen", "patch"));
            }
        }
        assert_eq!(world.all_rows().await?, before);
    }

    /// Every update moves `updated_at` forward: to the clock's time, or by a microsecond when the clock
    /// stands still or has gone back; also when the values stay the same. `created_at` never moves.
    #[covers(24)]
    async fn every_update_moves_updated_at_forward(world: World) {
        let notes = world.user("Ada").await?.repo::<Note>();
        let made = notes.create(NewNote::new("one")).await?;
        assert_eq!((made.created_at, made.updated_at), (world.now(), world.now()));
        let tick = TimeDelta::microseconds(1);
        let patch = NotePatch { pinned: true.into(), ..NotePatch::default() };
        let mut last = made.updated_at;
        let steps = [
            (TimeDelta::zero(), last + tick),
            (TimeDelta::zero(), last + tick * 2),
            (TimeDelta::nanoseconds(999), last + tick * 3),
            (TimeDelta::seconds(5) - TimeDelta::nanoseconds(999), last + TimeDelta::seconds(5)),
            (TimeDelta::days(-1), last + TimeDelta::seconds(5) + tick),
        ];
        for (passing, expected) in steps {
            world.clock().advance(passing);
            let patched = notes.update(made.id, patch.clone()).await?;
            assert_eq!((patched.created_at, patched.updated_at), (made.created_at, expected));
            assert_eq!(notes.get(made.id).await?, Some(patched));
            last = expected;
        }
        let added = notes.update_if(made.id, Filter::always(), vec![Note::VIEWS.add(1)]).await?.unwrap();
        assert_eq!(added.updated_at, last + tick);
        let put = notes.put(NewNote::new("one"), BY_TITLE).await?;
        assert_eq!((put.created_at, put.updated_at), (made.created_at, last + tick * 2));
        let unmet = notes.update_if(made.id, Note::VIEWS.eq(9)?, vec![Note::VIEWS.add(1)]).await?;
        assert_eq!(unmet, None);
        assert_eq!(notes.get(made.id).await?, Some(put), "a guard that is not met leaves the row as it was");
    }

    /// Patches of different fields of one row at the same moment, on two handles, all survive.
    #[covers(25)]
    async fn parallel_patches_of_different_fields_all_survive(world: World) {
        let again = world.reopen().await?;
        let handles = [world.system().repo::<Specimen>(), again.system().repo::<Specimen>()];
        for round in 1..=10 {
            let made = handles[0].create(Specimen::plain(format!("round {round}"))).await?;
            let patches = [
                SpecimenPatch { number: round.into(), ..SpecimenPatch::default() },
                SpecimenPatch { number_maybe: Some(round).into(), ..SpecimenPatch::default() },
                SpecimenPatch { level: round.into(), ..SpecimenPatch::default() },
                SpecimenPatch { text: format!("text {round}").into(), ..SpecimenPatch::default() },
                SpecimenPatch { text_maybe: Some("searched".to_owned()).into(), ..SpecimenPatch::default() },
                SpecimenPatch { flag: true.into(), ..SpecimenPatch::default() },
                SpecimenPatch { json: json!({ "round": round }).into(), ..SpecimenPatch::default() },
                SpecimenPatch { bytes: vec![round as u8].into(), ..SpecimenPatch::default() },
            ];
            let writers = together(patches.len(), |index| {
                let (specimens, patch) = (handles[index % 2].clone(), patches[index].clone());
                async move { specimens.update(made.id, patch).await }
            });
            let mut stamps = Vec::new();
            for result in writers.await {
                stamps.push(result?.updated_at);
            }
            stamps.sort();
            stamps.dedup();
            assert_eq!(stamps.len(), 8, "two updates have the same updated_at");
            let expected = Specimen {
                number: round,
                number_maybe: Some(round),
                level: round,
                text: format!("text {round}"),
                text_maybe: Some("searched".into()),
                flag: true,
                json: json!({ "round": round }),
                bytes: vec![round as u8],
                updated_at: stamps[7],
                ..made
            };
            assert_eq!(handles[1].get(expected.id).await?, Some(expected));
        }
    }
}

/// The unique key of a note.
const BY_TITLE: &[usize] = &[Note::USER_ID.position(), Note::TITLE.position()];

/// All rows of all tables.
type All = Vec<(&'static str, Vec<Row>)>;

/// A row of every table, each twice; the scope of the first user.
async fn filled(world: &World) -> Result<larder::UserScope> {
    let mut owner = uuid::Uuid::nil();
    for number in [1, 2] {
        for (table, row) in row_of_each(world.tables(), number) {
            if let (1, "users", Value::Uuid(id)) = (number, table.name, &row[0]) {
                owner = *id;
            }
            let insert = larder::Insert { table, rows: vec![row] };
            world.store().execute(larder::Verb::Insert(insert)).await?;
        }
    }
    Ok(world.larder().user(owner.into()))
}

/// The patch with this field alone; `None` when it cannot be read.
fn patch_of<E: Entity<Patch: DeserializeOwned>>(field: &str, value: Json) -> Option<E::Patch> {
    serde_json::from_value(json!({ field: value })).ok()
}

/// The fields that no patch has.
fn unpatchable<E: Entity<Patch: DeserializeOwned>>() -> Vec<&'static str> {
    let columns = E::TABLE.visible().iter();
    let refused = columns.filter(|column| patch_of::<E>(column.name, as_json(&sample(column, 3))).is_none());
    refused.map(|column| column.name).collect()
}

/// Patches each field of the first row, to a value, to null, and back.
async fn each_field<E>(world: &World, repo: &Repo<E>) -> Result<()>
where
    E: Entity<Key = Id<E>, Patch: DeserializeOwned + Clone> + PartialEq,
{
    let by_key = vec![Order { column: E::TABLE.primary_key[0], direction: SortDirection::Asc }];
    let key = repo.select(Filter::always(), by_key, Some(1)).await?.remove(0).key();
    for (position, column) in E::TABLE.visible().iter().enumerate() {
        let value = sample(column, 3);
        let Some(to_value) = patch_of::<E>(column.name, as_json(&value)) else { continue };
        let mut steps = vec![(to_value.clone(), value.clone())];
        match patch_of::<E>(column.name, Json::Null) {
            Some(to_null) if column.nullable => steps.extend([(to_null, Value::Null), (to_value, value)]),
            // JSON has a null of its own, which is a value.
            Some(_) => assert_eq!(column.kind, ColumnType::Json, "{}.{} to null", E::TABLE.name, column.name),
            None => assert!(!column.nullable, "{}.{} cannot be set to null", E::TABLE.name, column.name),
        }
        for (patch, value) in steps {
            let before = world.all_rows().await?;
            let answered = repo.update(key, patch).await?;
            let after = world.all_rows().await?;
            assert_changed(E::TABLE, key.uuid(), (position, value), &before, &after);
            assert_eq!(repo.get(key).await?, Some(answered));
        }
    }
    Ok(())
}

/// Of all rows, one value of one row has become `value`, and the row's `updated_at` is later.
fn assert_changed(table: &'static Table, key: uuid::Uuid, change: (usize, Value), before: &All, after: &All) {
    let (column, value) = change;
    let stamp = table.updated_at.unwrap();
    let mut expected = before.clone();
    for ((name, rows), (_, after)) in expected.iter_mut().zip(after) {
        for (row, after) in rows.iter_mut().zip(after).filter(|(row, _)| row.values()[0] == Value::Uuid(key))
        {
            if *name == table.name {
                let mut values = row.values().to_vec();
                assert_eq!(
                    values[stamp].compare(&after.values()[stamp]),
                    Some(Ordering::Less),
                    "{name}.updated_at"
                );
                values[column] = value.clone();
                values[stamp] = after.values()[stamp].clone();
                *row = Row::new(values);
            }
        }
    }
    assert_eq!(after, &expected, "{}.{} was changed", table.name, table.columns[column].name);
}
