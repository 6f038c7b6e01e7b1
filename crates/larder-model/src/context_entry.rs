//! Context: what a job remembers from one run to the next, text by key.

use std::{collections::BTreeMap, ops::Deref};

use chrono::{DateTime, Utc};
use larder_core::{Error, Filter, Repo, Result, SortDirection, UserScope};
use larder_derive::Entity;
use serde::Serialize;

use crate::{JobId, UserId};

/// What a job remembers under one key.
// The owner comes first in the key: to put into another user's job is then a missing parent, and no conflict with a row
// that the caller must not know of.
#[derive(Debug, Clone, PartialEq, Serialize, Entity)]
#[entity(table = "context_entries", unique = [user_id, job_id, key])]
pub struct ContextEntry {
    /// The id.
    pub id: ContextEntryId,
    /// Whose it is.
    #[entity(owner)]
    pub user_id: UserId,
    /// Which job remembers it.
    #[entity(parent)]
    pub job_id: JobId,
    /// Under which key; a job has each key once.
    #[entity(length(1, 255), create_only, sort, search)]
    pub key: String,
    /// What.
    #[entity(search)]
    pub value: String,
    /// When the key was first put.
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    /// When it was last put.
    pub updated_at: DateTime<Utc>,
}

/// The unique key of an entry.
const KEY: &[usize] =
    &[ContextEntry::USER_ID.position(), ContextEntry::JOB_ID.position(), ContextEntry::KEY.position()];

/// What a user's jobs remember. It is a [`Repo`] of [`ContextEntry`] and more.
///
/// ```
/// use larder::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// # let larder = Larder::open("memory:").await?;
/// # larder.migrate().await?;
/// # let ada = larder.system().users().create(NewUser::new()).await?;
/// # let mine = larder.user(ada.id);
/// # let job = mine.jobs().create(NewJob::new("Send me the weather every morning")).await?;
/// let context = mine.context_entries();
/// context.put(job.id, "city", "Oslo").await?;
/// context.put(job.id, "city", "Bergen").await?;
/// context.put(job.id, "unit", "celsius").await?;
///
/// let city = context.find(job.id, "city").await?;
/// assert_eq!(city.map(|entry| entry.value), Some("Bergen".to_owned()));
/// context.forget(job.id, "unit").await?;
/// assert_eq!(context.of_job(job.id).await?, [("city".into(), "Bergen".into())].into());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ContextEntries(Repo<ContextEntry>);

impl ContextEntries {
    pub(crate) fn new(scope: &UserScope) -> Self {
        Self(scope.repo())
    }

    /// Remembers `value` under `key`, in place of what was there.
    ///
    /// # Errors
    /// `MissingParent` when the job does not exist or is not this user's; `Invalid`.
    pub async fn put(
        &self,
        job: JobId,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<ContextEntry> {
        self.0.put(NewContextEntry::new(job, key, value), KEY).await
    }

    /// What is remembered under `key`; `None` when nothing is.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn find(&self, job: JobId, key: &str) -> Result<Option<ContextEntry>> {
        Ok(self.select(of_key(job, key)?, Vec::new(), Some(1)).await?.pop())
    }

    /// Forgets what is remembered under `key`.
    ///
    /// # Errors
    /// `NotFound` when nothing is.
    pub async fn forget(&self, job: JobId, key: &str) -> Result<()> {
        match self.delete_many(of_key(job, key)?).await? {
            0 => Err(Error::not_found("ContextEntry")),
            _ => Ok(()),
        }
    }

    /// All that a job remembers; nothing when the job does not exist or is not this user's.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn of_job(&self, job: JobId) -> Result<BTreeMap<String, String>> {
        let order = vec![ContextEntry::KEY.order(SortDirection::Asc)];
        let entries = self.select(ContextEntry::JOB_ID.eq(job)?, order, None).await?;
        Ok(entries.into_iter().map(|entry| (entry.key, entry.value)).collect())
    }
}

/// A key that cannot be stored meets nothing.
fn of_key(job: JobId, key: &str) -> Result<Filter> {
    Ok(ContextEntry::JOB_ID.eq(job)?.and(ContextEntry::KEY.eq(key.to_owned())?))
}

impl Deref for ContextEntries {
    type Target = Repo<ContextEntry>;

    fn deref(&self) -> &Repo<ContextEntry> {
        &self.0
    }
}
