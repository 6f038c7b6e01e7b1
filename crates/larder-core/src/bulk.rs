//! Many rows at once: deleted all or none, deleted in batches.

use crate::{Delete, Entity, Filter, Repo, Result, Verb};

/// How many rows a batch of a [`Repo::purge`] deletes.
const BATCH: u64 = 1_000;

impl<E: Entity> Repo<E> {
    /// Deletes all that meet `filter`, and all that belongs to them: all or none, however many. Answers how many met it;
    /// none is no error. For so many that the database should not be held for all of them: [`Repo::purge`].
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn delete_many(&self, filter: Filter) -> Result<u64> {
        self.delete_at_most(None, filter).await
    }

    /// Deletes all that meet `filter`, and all that belongs to them, in batches of 1,000, each of which is a commit of its
    /// own, so that others get their turn in between. Answers how many met it; one that comes to meet it meanwhile may
    /// stay. In a transaction all batches are part of it.
    ///
    /// # Errors
    /// Those of the connection; what was deleted before stays deleted, and a second call deletes the rest.
    pub async fn purge(&self, filter: Filter) -> Result<u64> {
        let mut all = 0;
        loop {
            let deleted = self.delete_at_most(Some(BATCH), filter.clone()).await?;
            all += deleted;
            if deleted < BATCH {
                return Ok(all);
            }
        }
    }

    async fn delete_at_most(&self, limit: Option<u64>, filter: Filter) -> Result<u64> {
        let (table, owner) = (E::TABLE, self.owner());
        let delete = Delete { table, owner, key: None, filter, limit, returning: false };
        Ok(self.context().execute(Verb::Delete(delete)).await?.rows())
    }
}
