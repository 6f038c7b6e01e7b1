//! Errors: the same kinds, for the same reasons, on every database.

use std::time::Duration;

use larder::{
    Assign, Begin, ColumnType, Entity, Error, ErrorKind, Filter, Id, Sql, Update, Value, Verb,
    model::*,
};

use crate::{
    Limits,
    call::{by_id, setting, with_value},
    entities::{Folder, NewFolder, NewNote, NewSpecimen, Note, NotePatch, Specimen, SpecimenPatch},
    promptly,
};

cases! {
    /// What is absent has one answer for each method: looking up answers `None`, changing and deleting `NotFound`, changing
    /// under a condition `None`, adding to it `MissingParent`, listing nothing.
    #[covers(1)]
    async fn what_is_absent_has_one_answer_per_method(world: World) {
        let ada = world.user("Ada").await?;
        let (notes, jobs) = (ada.repo::<Note>(), ada.jobs());
        let (note, job) = (Id::from_uuid(NOWHERE), Id::from_uuid(NOWHERE));
        assert_eq!(notes.get(note).await?, None);
        assert_eq!(notes.get_by(Note::ID, note).await?, None);
        assert_eq!(notes.update_if(note, Filter::always(), vec![Note::VIEWS.add(1)]).await?, None);
        assert_eq!(jobs.get_with(job, JobRelations::all()).await?, None);
        assert_eq!(ada.messages().of_job(job).await?, []);
        assert_eq!(world.system().users().find_by_email("nobody@example.org").await?, None);

        let patch = NotePatch { views: 5.into(), ..NotePatch::default() };
        let not_found = [
            ("Note", notes.update(note, patch).await.map(drop)),
            ("Note", notes.delete(note).await),
            ("Job", jobs.activate(job).await.map(drop)),
            ("Job", jobs.pause(job).await.map(drop)),
            ("Job", jobs.archive(job).await.map(drop)),
            ("Job", jobs.schedule(job, None).await.map(drop)),
            ("Job", jobs.delete(job).await),
        ];
        for (entity, result) in not_found {
            assert_eq!(result.unwrap_err().kind(), &ErrorKind::NotFound { entity: entity.into() });
        }
        let orphan = NewMessage::new(job, MessageRole::User, "of no job");
        let refused = ada.messages().append(orphan).await.unwrap_err();
        assert_eq!(refused.kind(), &missing_parent("Message", "Job"));
    }

    /// A user who was deleted, or never was, has nothing, and nothing can be created for them.
    #[covers(1, 3)]
    async fn a_user_who_does_not_exist_has_nothing(world: World) {
        let nobody = world.larder().user(Id::from_uuid(NOWHERE));
        assert_eq!(nobody.profile().get().await?, None);
        assert_eq!(nobody.jobs().list(ListJobs::default()).await?.items, []);
        let error = nobody.jobs().create(NewJob::new("a job for nobody")).await.unwrap_err();
        assert_eq!(error.kind(), &missing_parent("Job", "User"));
        let error = nobody.profile().delete().await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::NotFound { entity: "User".into() });
    }

    /// A second row with the same key is a `Conflict` that names the entity and the key's columns, for every unique key, and
    /// is not written.
    #[covers(2)]
    async fn a_duplicate_is_a_conflict_that_names_its_key(world: World) {
        let ada = world.user("Ada").await?;
        let user = NewUser { email: Some("ada@example.org".into()), ..NewUser::default() };
        let creations = [
            (world.system().users().creation(user)?.1, "email"),
            (world.system().repo::<Specimen>().creation(Specimen::plain("one"))?.1, "label"),
            (ada.repo::<Note>().creation(NewNote::new("one"))?.1, "user_id, title"),
        ];
        for (creation, unique) in creations {
            let table = creation.table();
            world.store().execute(creation.clone()).await?;
            let before = world.all_rows().await?;
            let conflict = |field: &'static str| ErrorKind::Conflict {
                entity: table.entity.into(),
                field: field.into(),
            };
            let same = world.store().execute(creation.clone()).await.unwrap_err();
            assert_eq!(same.kind(), &conflict("id"), "the primary key is named first");
            let other_id = with_value(creation, 0, Value::Uuid(NOWHERE));
            let duplicate = world.store().execute(other_id).await.unwrap_err();
            assert_eq!(duplicate.kind(), &conflict(unique));
            assert_eq!(world.all_rows().await?, before);
        }
    }

    /// Changing a row so that it takes another one's key is a `Conflict`, and changes nothing.
    #[covers(2)]
    async fn an_update_to_a_key_that_is_taken_is_a_conflict(world: World) {
        let notes = world.user("Ada").await?.repo::<Note>();
        notes.create(NewNote::new("one")).await?;
        let two = notes.create(NewNote::new("two")).await?;
        let patch = NotePatch { title: "one".to_owned().into(), views: 9.into(), ..NotePatch::default() };
        let error = notes.update(two.id, patch).await.unwrap_err();
        assert_eq!(
            error.kind(),
            &ErrorKind::Conflict { entity: "Note".into(), field: "user_id, title".into() }
        );
        assert_eq!(notes.get(two.id).await?, Some(two));
    }

    /// Two users may use the same value where a key is unique for each of them.
    #[covers(2)]
    async fn a_key_with_the_owner_in_it_is_unique_per_owner(world: World) {
        for name in ["Ada", "Bob"] {
            world.user(name).await?.repo::<Note>().create(NewNote::new("the same")).await?;
        }
        assert_eq!(world.rows(Note::TABLE).await?.len(), 2);
    }

    /// NULLs never conflict in a unique key.
    #[covers(2, 5)]
    async fn nulls_never_conflict(world: World) {
        for name in ["Ada", "Bob"] {
            assert_eq!(world.user(name).await?.profile().get().await?.unwrap().email, None);
        }
    }

    /// A parent that does not exist is `MissingParent` with both entities, for every foreign key, and nothing is written.
    #[covers(3)]
    async fn a_missing_parent_is_named(world: World) {
        let ada = world.user("Ada").await?;
        let nobody = world.larder().user(Id::from_uuid(NOWHERE));
        let inside = NewFolder { parent_id: Some(Id::from_uuid(NOWHERE)), ..NewFolder::new("inside") };
        let before = world.all_rows().await?;
        let refused = [
            (nobody.repo::<Note>().create(NewNote::new("x")).await.map(drop), missing_parent("Note", "User")),
            (ada.repo::<Folder>().create(inside).await.map(drop), missing_parent("Folder", "Folder")),
        ];
        for (result, kind) in refused {
            assert_eq!(result.unwrap_err().kind(), &kind);
        }
        assert_eq!(world.all_rows().await?, before);
    }

    /// A value that breaks a rule is `Invalid` with the field and nothing is written, on create and on update.
    #[covers(4)]
    async fn a_broken_rule_names_its_field(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let there = specimens.create(Specimen::plain("there")).await?;
        let new = || Specimen::plain("new");
        let broken = [
            ("label", NewSpecimen { label: String::new(), ..new() }),
            ("label", NewSpecimen { label: "x".repeat(201), ..new() }),
            ("level", NewSpecimen { level: 101, ..new() }),
            ("level", NewSpecimen { level: -1, ..new() }),
            ("level_maybe", NewSpecimen { level_maybe: Some(6), ..new() }),
            ("link", NewSpecimen { link: Some("ftp://example.org".into()), ..new() }),
            ("text", NewSpecimen { text: "nul \0 inside".into(), ..new() }),
            ("ratio", NewSpecimen { ratio: f64::NAN, ..new() }),
            ("ratio_maybe", NewSpecimen { ratio_maybe: Some(f64::INFINITY), ..new() }),
            ("json", NewSpecimen { json: serde_json::json!({"a": "\0"}), ..new() }),
        ];
        let before = world.all_rows().await?;
        for (field, new) in broken {
            assert_invalid(specimens.create(new).await.unwrap_err(), field);
        }
        let patches = [
            ("label", SpecimenPatch { label: String::new().into(), ..SpecimenPatch::default() }),
            ("level", SpecimenPatch { level: 101.into(), ..SpecimenPatch::default() }),
            ("link", SpecimenPatch { link: Some("nowhere".to_owned()).into(), ..SpecimenPatch::default() }),
        ];
        for (field, patch) in patches {
            assert_invalid(specimens.update(there.id, patch).await.unwrap_err(), field);
        }
        assert_eq!(world.all_rows().await?, before);
    }

    /// The limits themselves are within the rules.
    #[covers(4)]
    async fn the_limits_of_a_rule_are_allowed(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let longest = "é".repeat(200);
        let made = specimens
            .create(NewSpecimen { level: 100, level_maybe: Some(-5), ..Specimen::plain(&longest) })
            .await?;
        assert_eq!(specimens.get(made.id).await?, Some(made));
        let shortest =
            specimens.create(NewSpecimen { level: 0, level_maybe: Some(5), ..Specimen::plain("x") }).await?;
        assert_eq!(specimens.get(shortest.id).await?, Some(shortest));
    }

    /// A verb that was not checked by core is refused by the store with the same kind and field, and nothing is written.
    #[covers(4)]
    async fn a_store_refuses_what_core_would_have_refused(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let there = specimens.create(Specimen::plain("there")).await?;
        let broken = [
            (Specimen::LABEL.position(), Value::Null),
            (Specimen::LABEL.position(), Value::Text(String::new())),
            (Specimen::LEVEL.position(), Value::Int(101)),
            (Specimen::LEVEL_MAYBE.position(), Value::Int(-6)),
            (Specimen::LINK.position(), Value::Text("ftp://example.org".into())),
            (Specimen::COLOUR.position(), Value::Text("purple".into())),
            (Specimen::FLAG.position(), Value::Null),
        ];
        let before = world.all_rows().await?;
        for (column, value) in broken {
            let field = Specimen::TABLE.columns[column].name;
            let (_, creation) = specimens.creation(Specimen::plain("new"))?;
            let inserted = world.store().execute(with_value(creation, column, value.clone())).await;
            assert_invalid(inserted.unwrap_err(), field);
            let updated = world.store().execute(setting(Specimen::TABLE, there.id.uuid(), column, value)).await;
            assert_invalid(updated.unwrap_err(), field);
        }
        assert_eq!(world.all_rows().await?, before);
    }

    /// The database itself keeps the rules, also against SQL.
    #[covers(4)]
    #[needs(Sql)]
    async fn the_database_keeps_the_rules_against_sql(world: World) {
        let ada = world.user("Ada").await?;
        world.system().repo::<Specimen>().create(Specimen::plain("there")).await?;
        ada.jobs().create(NewJob::new("a job of Ada's")).await?;
        let before = world.all_rows().await?;
        for broken in [
            "UPDATE specimens SET label = NULL",
            "UPDATE specimens SET label = ''",
            "UPDATE specimens SET level = 101",
            "UPDATE specimens SET level_maybe = -6",
            "UPDATE specimens SET link = 'ftp://example.org'",
            "UPDATE specimens SET colour = 'purple'",
            "UPDATE jobs SET definition = 'four'",
            "UPDATE jobs SET total_tokens = -1",
            "UPDATE jobs SET status = 'active'",
        ] {
            assert!(world.system().sql(Sql::portable(broken)).await.is_err(), "{broken} was let through");
        }
        assert_eq!(world.all_rows().await?, before);
    }

    /// An addition that leaves the range of 64 bits, or breaks the column's rule, is `Invalid` with the column, and changes
    /// nothing.
    #[covers(10)]
    async fn an_addition_out_of_range_is_invalid(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let new = NewSpecimen { number: i64::MAX, ..Specimen::plain("greatest") };
        let made = specimens.create(new).await?;
        let over = specimens.update_if(made.id, Filter::always(), vec![Specimen::NUMBER.add(1)]).await;
        assert_invalid(over.unwrap_err(), "number");
        let over = specimens.update_if(made.id, Filter::always(), vec![Specimen::LEVEL.add(94)]).await;
        assert_invalid(over.unwrap_err(), "level");
        assert_eq!(specimens.get(made.id).await?, Some(made));
    }

    /// A row that does not hold what its entity says is `Corrupt` with the field, never `None` and never a default.
    #[covers(71)]
    async fn a_row_that_cannot_be_read_is_corrupt(world: World) {
        let ada = world.user("Ada").await?;
        let job = ada.jobs().create(NewJob::new("a job of Ada's")).await?;
        let message = ada.messages().append(NewMessage::new(job.id, MessageRole::User, "hello")).await?;
        let set = vec![(
            Message::CONTENT.position(),
            Assign::Set(Value::Json(serde_json::json!({"no": "message"}))),
        )];
        let (table, key) = (Message::TABLE, Some(by_id(message.id.uuid())));
        let update = Update { table, owner: None, key, filter: Filter::always(), set, returning: false };
        world.store().execute(Verb::Update(update)).await?;
        let corrupt = ErrorKind::Corrupt { entity: "Message".into(), field: "content".into() };
        assert_eq!(ada.messages().get(message.id).await.unwrap_err().kind(), &corrupt);
        assert_eq!(ada.messages().of_job(job.id).await.unwrap_err().kind(), &corrupt);
    }

    /// A database that was never migrated answers `Schema`, and not that rows are absent.
    #[covers(71)]
    async fn a_database_without_the_tables_says_schema(world: World) {
        let empty = world.without_tables().await?;
        let read = empty.system().users().get(Id::from_uuid(NOWHERE)).await.unwrap_err();
        assert_eq!(read.kind(), &ErrorKind::Schema);
        let written = empty.system().users().create(NewUser::default()).await.unwrap_err();
        assert_eq!(written.kind(), &ErrorKind::Schema);
    }

    /// SQL that is wrong is an error with the database's own as its cause; a store without SQL says `Unsupported`.
    #[covers(71)]
    async fn sql_that_cannot_be_run_is_an_error(world: World) {
        let error =
            world.system().sql(Sql::portable("SELEKT 1").returning([ColumnType::Int])).await.unwrap_err();
        if world.store().supports(larder::Capability::Sql) {
            assert!(std::error::Error::source(&error).is_some(), "{error:?}");
        } else {
            assert_eq!(error.kind(), &ErrorKind::Unsupported);
        }
    }

    /// Of two transactions that change the same row, the one that loses says `Contention` and may be run again.
    #[covers(36, 71)]
    #[needs(ConcurrentTransactions)]
    async fn a_transaction_that_lost_says_contention(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let row = specimens.create(Specimen::plain("contended")).await?;
        let again = world.reopen().await?;
        let mut loser = world.store().begin(Begin::Serializable).await?;
        loser.execute(specimens.look_up(row.id)?).await?;
        let patch = SpecimenPatch { number: 1.into(), ..SpecimenPatch::default() };
        again.system().repo::<Specimen>().update(row.id, patch).await?;
        let write = setting(Specimen::TABLE, row.id.uuid(), Specimen::NUMBER.position(), Value::Int(2));
        let lost = match loser.execute(write).await {
            Ok(_) => loser.commit().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(lost.kind(), &ErrorKind::Contention);
        assert!(lost.is_retryable());
        assert_eq!(specimens.get(row.id).await?.map(|row| row.number), Some(1));
    }

    /// When no connection comes free in time the answer is `Busy`, at about that time; once one is free, all is well.
    #[covers(71, 74)]
    async fn a_store_without_a_free_connection_says_busy(world: World) {
        let limits = Limits { wait: Duration::from_millis(200), connections: 1 };
        let narrow = world.reopen_within(limits).await?;
        let held = narrow.store().begin(Begin::Serializable).await?;
        for _ in 0..2 {
            let refused = promptly("a second transaction", narrow.store().begin(Begin::Serializable))
                .await
                .unwrap_err();
            assert_eq!(refused.kind(), &ErrorKind::Busy);
            assert!(refused.is_retryable());
        }
        held.rollback().await?;
        promptly("a transaction", narrow.store().begin(Begin::Serializable)).await?.rollback().await?;
        narrow.close().await?;
    }

    /// A write that waits in vain for the lock that another transaction holds is `Busy`, and is not written; or `Timeout`
    /// where the database was asked already, and may be written later. It is never `Conflict`.
    #[covers(71)]
    async fn a_write_that_waits_in_vain_is_no_conflict(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let row = specimens.create(Specimen::plain("locked")).await?;
        let limits = Limits { wait: Duration::from_millis(200), connections: 2 };
        let impatient = world.reopen_within(limits).await?;
        let mut holder = world.store().begin(Begin::Serializable).await?;
        holder.execute(setting(Specimen::TABLE, row.id.uuid(), Specimen::NUMBER.position(), Value::Int(1))).await?;
        let patch = SpecimenPatch { number: 2.into(), ..SpecimenPatch::default() };
        let waiting = impatient.system().repo::<Specimen>();
        let refused = promptly("a blocked write", waiting.update(row.id, patch.clone())).await.unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::Busy | ErrorKind::Timeout), "{refused:?}");
        holder.rollback().await?;
        if *refused.kind() == ErrorKind::Busy {
            assert_eq!(specimens.get(row.id).await?.map(|row| row.number), Some(0));
        }
        assert_eq!(promptly("a write", waiting.update(row.id, patch)).await?.number, 2);
        impatient.close().await?;
    }

    /// A store that is closed answers `Closed` to everything; closing it twice is no error, and other handles go on.
    #[covers(79)]
    async fn a_closed_store_says_closed(world: World) {
        let ada = world.user("Ada").await?;
        let again = world.reopen().await?;
        let independent = world.store().supports(larder::Capability::Durable);
        again.close().await?;
        again.close().await?;
        let notes = again.user(ada.owner().into()).repo::<Note>();
        let store = again.store();
        let kinds = [
            notes.get(Id::from_uuid(NOWHERE)).await.map(drop),
            notes.create(NewNote::new("late")).await.map(drop),
            notes
                .context()
                .run(larder::Unit::default().then(notes.look_up(Id::from_uuid(NOWHERE))?))
                .await
                .map(drop),
            store.begin(Begin::Serializable).await.map(drop),
            store.health().await.map(drop),
            store.sql(Sql::portable("SELECT 1").returning([ColumnType::Int])).await.map(drop),
        ];
        for (call, result) in kinds.into_iter().enumerate() {
            assert_eq!(result.unwrap_err().kind(), &ErrorKind::Closed, "call {call}");
        }
        if independent {
            assert_eq!(ada.repo::<Note>().count(Filter::always()).await?, 0);
        }
    }

    /// A database that is there says so, and what it is.
    #[covers(71)]
    async fn a_store_that_is_there_is_healthy(world: World) {
        assert!(!world.larder().health().await?.version.is_empty());
    }
}

/// An id that no row has.
const NOWHERE: uuid::Uuid = uuid::Uuid::from_u128(404);

fn missing_parent(entity: &'static str, parent: &'static str) -> ErrorKind {
    ErrorKind::MissingParent { entity: entity.into(), parent: parent.into() }
}

fn assert_invalid(error: Error, expected: &str) {
    match error.kind() {
        ErrorKind::Invalid { field, .. } => assert_eq!(field, expected, "{error:?}"),
        _ => panic!("expected {expected} to be Invalid, got {error:?}"),
    }
}
