extern crate larder_core as larder;

use larder::{Repo, Result};
use larder_derive::Entity;

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct User {
    pub id: UserId,
}

#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Note {
    pub id: NoteId,
    #[entity(owner)]
    pub user_id: UserId,
    /// It may be anybody, whom the owner of the note must not see.
    pub written_for: UserId,
}

async fn somebody(notes: &Repo<Note>, id: NoteId) -> Result<()> {
    notes.get_with(id, Note::WRITTEN_FOR.parent()).await?;
    Ok(())
}

fn main() {}
