//! Entities with what was loaded with them.

use std::ops::Deref;

use serde::Serialize;

use crate::{
    Entity, Get, Key, Known, Page, Relation, Repo, Result, Row, Unit, Verb, relation::incomplete,
    repo::row_of,
};

/// An entity and what was loaded with it: the type says what. It derefs to the entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct With<E, L> {
    /// The entity.
    pub entity: E,
    /// What the relation loads: a `Vec`, an `Option`, a tuple of these, or what it was mapped to.
    pub loaded: L,
}

impl<E, L> Deref for With<E, L> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.entity
    }
}

impl<E: Entity> Repo<E> {
    /// The one with this key and what is related to it; `None` when there is none.
    ///
    /// It is one unit: one trip, one state of the database. A [`parent`](crate::Field::parent) other than the owner is the
    /// exception: which one it is says the row, so that the row is read first.
    ///
    /// # Errors
    /// Those of the connection, and `Corrupt`.
    pub async fn get_with<R: Relation<E>>(
        &self,
        key: E::Key,
        relations: R,
    ) -> Result<Option<With<E, R::Loaded>>> {
        let key = self.primary_key(key)?;
        let Some(verbs) = relations.verbs(&Known::key::<E>(self.owner(), &key))? else {
            return self.get_then_load(key, &relations).await;
        };
        let get = Verb::Get(Get { table: E::TABLE, owner: self.owner(), key });
        let unit = verbs.into_iter().fold(Unit::default().then(get), Unit::then);
        let mut outcomes = self.context().run(unit).await?.into_iter();
        let Some(row) = row_of(outcomes.next().ok_or_else(incomplete)?)? else { return Ok(None) };
        let mut found = relations.read(&mut outcomes)?;
        with(row, &relations, &mut found).map(Some)
    }

    /// A page, with what is related to each on it: one query for the page and one trip for all relations of the page,
    /// none when it is empty.
    ///
    /// # Errors
    /// As [`Repo::list`].
    pub async fn list_with<R: Relation<E>>(
        &self,
        list: E::List,
        relations: R,
    ) -> Result<Page<With<E, R::Loaded>>> {
        let Page { items, has_next, next } = self.page(list).await?;
        Ok(Page { items: self.load(items, &relations).await?, has_next, next })
    }

    async fn get_then_load<R: Relation<E>>(
        &self,
        key: Key,
        relations: &R,
    ) -> Result<Option<With<E, R::Loaded>>> {
        let row = self.get_row(key).await?;
        Ok(self.load(row.into_iter().collect(), relations).await?.pop())
    }

    async fn load<R: Relation<E>>(&self, rows: Vec<Row>, relations: &R) -> Result<Vec<With<E, R::Loaded>>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let verbs = relations.verbs(&Known::rows::<E>(self.owner(), &rows))?.unwrap_or_default();
        let unit = verbs.into_iter().fold(Unit::default(), Unit::then);
        let mut outcomes = self.context().run(unit).await?.into_iter();
        let mut found = relations.read(&mut outcomes)?;
        rows.into_iter().map(|row| with(row, relations, &mut found)).collect()
    }
}

fn with<E: Entity, R: Relation<E>>(
    row: Row,
    relations: &R,
    found: &mut R::Found,
) -> Result<With<E, R::Loaded>> {
    let loaded = relations.take(found, &row)?;
    Ok(With { entity: E::from_row(row)?, loaded })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_derefs_to_the_entity_and_is_written_beside_what_was_loaded() {
        let with = With { entity: "a job".to_owned(), loaded: (vec![1, 2], Some("Ada")) };
        assert_eq!(with.len(), "a job".len());
        let json = serde_json::json!({"entity": "a job", "loaded": [[1, 2], "Ada"]});
        assert_eq!(serde_json::to_value(with).unwrap(), json);
    }
}
