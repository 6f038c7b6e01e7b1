//! Errors: the same kinds, for the same reasons, on every database.

use larder::{ErrorKind, Id};

use crate::entities::{Note, NewNote, Specimen, SpecimenPatch};

cases! {
    /// Looking up what does not exist answers `None`; changing or deleting it answers `NotFound` with the entity.
    #[covers(1)]
    async fn what_is_absent_has_one_answer_per_method(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let nobody = Id::from_uuid(uuid::Uuid::from_u128(1));
        assert_eq!(specimens.get(nobody).await?, None);
        let patch = SpecimenPatch { number: 5.into(), ..SpecimenPatch::default() };
        let not_found = ErrorKind::NotFound { entity: "Specimen".into() };
        assert_eq!(specimens.update(nobody, patch).await.unwrap_err().kind(), &not_found);
        assert_eq!(specimens.delete(nobody).await.unwrap_err().kind(), &not_found);
    }

    /// A second row with the same key is a `Conflict` that names the entity and the key's columns, and is not written.
    #[covers(2)]
    async fn a_duplicate_is_a_conflict_that_names_its_key(world: World) {
        let specimens = world.system().repo::<Specimen>();
        specimens.create(Specimen::plain("one")).await?;
        let error = specimens.create(Specimen::plain("one")).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Conflict { entity: "Specimen".into(), field: "label".into() });
        assert_eq!(specimens.count(larder::Filter::always()).await?, 1);

        let notes = world.user("ada").await?.repo::<Note>();
        notes.create(NewNote::new("title")).await?;
        let error = notes.create(NewNote::new("title")).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Conflict { entity: "Note".into(), field: "user_id, title".into() });
    }

    /// What was written is there for whoever opens the database again.
    #[covers(71)]
    async fn a_second_handle_sees_what_the_first_wrote(world: World) {
        let made = world.system().repo::<Specimen>().create(Specimen::plain("one")).await?;
        let again = world.reopen().await?;
        assert_eq!(again.system().repo::<Specimen>().get(made.id).await?, Some(made));
    }
}
