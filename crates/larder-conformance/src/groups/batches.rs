//! Batches: many rows at once, all or none, however many.

use larder::{
    Assign, Delete, Entity, ErrorKind, Filter, Id, Insert, Outcome, SortDirection, Update, Value, Verb,
};

use crate::{
    entities::{NewNote, NewSpecimen, Note, Specimen},
    expect::assert_invalid,
};

cases! {
    /// Twenty thousand rows are one batch, each of them there afterwards as it was answered; the empty batch
    /// is none.
    #[covers(13)]
    async fn a_batch_of_twenty_thousand_rows_is_written(world: World) {
        let ada = world.user("Ada").await?;
        let notes = ada.repo::<Note>();
        assert_eq!(notes.create_many([]).await?, []);
        let made =
            notes.create_many((0..20_000).map(|number| NewNote::new(format!("note {number}")))).await?;
        let read = notes.select(Filter::always(), vec![Note::ID.order(SortDirection::Asc)], None).await?;
        assert!(read == made, "{} notes were answered, {} read, or they differ", made.len(), read.len());
        assert_eq!(made[19_999].title, "note 19999");
    }

    /// A batch of which one row is refused writes nothing, wherever in the batch it stands and whatever is
    /// wrong with it.
    #[covers(2, 13)]
    async fn a_batch_is_all_or_nothing(world: World) {
        let ada = world.user("Ada").await?;
        let notes = ada.repo::<Note>();
        notes.create(NewNote::new("taken")).await?;
        let before = world.all_rows().await?;
        let batch = |titles: &[&str]| {
            let more = (0..5_000).map(|number| NewNote::new(format!("note {number}")));
            titles.iter().map(|title| NewNote::new(*title)).chain(more).collect::<Vec<_>>()
        };
        let at_the_end = |titles: &[&str]| batch(titles).into_iter().rev().collect::<Vec<_>>();
        let conflict = ErrorKind::Conflict { entity: "Note".into(), field: "user_id, title".into() };
        for new in [
            batch(&["taken"]),
            at_the_end(&["taken"]),
            batch(&["twice", "twice"]),
            at_the_end(&["note 4321"]),
        ] {
            assert_eq!(notes.create_many(new).await.unwrap_err().kind(), &conflict);
            assert_eq!(world.all_rows().await?, before);
        }
        assert_invalid(notes.create_many(at_the_end(&[""])).await, "title");
        let mut rows = Vec::new();
        for new in batch(&[]) {
            let Verb::Insert(Insert { rows: mut one, .. }) = notes.creation(new)?.1 else {
                panic!("no insert")
            };
            rows.append(&mut one);
        }
        rows.last_mut().unwrap()[Note::USER_ID.position()] = Value::Uuid(uuid::Uuid::from_u128(404));
        let refused =
            world.store().execute(Verb::Insert(Insert { table: Note::TABLE, rows })).await.unwrap_err();
        let kind = ErrorKind::MissingParent { entity: "Note".into(), parent: "User".into() };
        assert_eq!(refused.kind(), &kind);
        assert_eq!(world.all_rows().await?, before);
    }

    /// A condition may name more values than a statement takes binds: of 40,000 ids, numbers and texts each
    /// finds its own, to read, to count, to change and to delete.
    #[covers(13)]
    async fn a_condition_takes_more_values_than_binds(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let new = (0..50).map(|number| NewSpecimen { number, ..Specimen::plain(format!("label {number}")) });
        let made = specimens.create_many(new.collect::<Vec<_>>()).await?;
        let absent = (0..40_000).map(|number| Id::from_uuid(uuid::Uuid::from_u128(number)));
        let ids = Specimen::ID.is_in(made[..20].iter().map(|specimen| specimen.id).chain(absent))?;
        let numbers = Specimen::NUMBER.is_in((30..40_030).chain([10]))?;
        let texts = Specimen::LABEL.is_in((40..40_040).map(|number| format!("label {number}")))?;
        assert_eq!(specimens.select(ids.clone(), Vec::new(), None).await?.len(), 20);
        assert_eq!(specimens.count(numbers.clone()).await?, 21);
        assert_eq!(specimens.count(texts.clone()).await?, 10);
        let table = Specimen::TABLE;
        let set = vec![(Specimen::LEVEL.position(), Assign::Set(Value::Int(99)))];
        let filter = texts.and(numbers);
        let update = Update { table, owner: None, key: None, filter, set, returning: false };
        assert_eq!(world.store().execute(Verb::Update(update)).await?, Outcome::Count(10));
        assert_eq!(specimens.count(Specimen::LEVEL.eq(99)?).await?, 10);
        let delete = Delete { table, owner: None, key: None, filter: ids, limit: None, returning: false };
        assert_eq!(world.store().execute(Verb::Delete(delete)).await?, Outcome::Count(20));
        assert_eq!(specimens.count(Filter::always()).await?, 30);
        let none = Specimen::ID.is_in([])?;
        assert_eq!(specimens.count(none).await?, 0, "nothing is one of no values");
    }
}
