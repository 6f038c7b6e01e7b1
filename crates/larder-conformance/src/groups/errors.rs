//! Errors: the same kinds, for the same reasons, on every database.

use larder::{ErrorKind, Id};

use crate::entities::{Specimen, SpecimenPatch};

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
}
