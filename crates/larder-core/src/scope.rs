//! Who is asking: a user, or the system.

use std::future::Future;

use uuid::Uuid;

use crate::{Context, Entity, Owned, Repo, Result, Sql, SqlOutcome, Unowned, Unscoped};

/// What belongs to one user. There is no way from here to another user's rows: they behave as if they did not exist.
#[derive(Debug, Clone)]
pub struct UserScope {
    context: Context,
    owner: Uuid,
}

impl UserScope {
    /// The scope of this user. It is not asked whether the user exists: for one who doesn't, every list is empty and every
    /// create fails with `MissingParent`.
    pub fn new(context: Context, owner: impl Into<Uuid>) -> Self {
        Self { context, owner: owner.into() }
    }

    /// The user's id.
    pub fn owner(&self) -> Uuid {
        self.owner
    }

    /// The ground that it stands on, for operations of one's own.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// This user's rows of an owned entity.
    pub fn repo<E: Entity<Ownership = Owned>>(&self) -> Repo<E> {
        Repo::new(self.context.clone(), Some(self.owner))
    }

    /// Runs `work` in a transaction; as [`Context::transaction`], with this user's scope inside it.
    ///
    /// # Errors
    /// As [`Context::transaction`].
    pub async fn transaction<T, F, Fut>(&self, mut work: F) -> Result<T>
    where
        F: FnMut(Self) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        self.context.transaction(|context| work(Self { context, owner: self.owner })).await
    }
}

/// What the system itself may do: entities that belong to nobody, a short list of verbs over all users' rows, and SQL.
#[derive(Debug, Clone)]
pub struct SystemScope {
    context: Context,
}

impl SystemScope {
    /// The system's scope.
    pub fn new(context: Context) -> Self {
        Self { context }
    }

    /// The ground that it stands on, for operations of one's own.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The scope of one user, in the same transaction if this is in one.
    pub fn user(&self, owner: impl Into<Uuid>) -> UserScope {
        UserScope::new(self.context.clone(), owner)
    }

    /// The rows of an entity that belongs to nobody.
    pub fn repo<E: Entity<Ownership = Unowned>>(&self) -> Repo<E> {
        Repo::new(self.context.clone(), None)
    }

    /// A few verbs over all users' rows of an owned entity, for schedulers and clean-up.
    pub fn all_users<E: Entity<Ownership = Owned>>(&self) -> Unscoped<E> {
        Unscoped::new(self.context.clone())
    }

    /// Executes SQL: the escape hatch.
    ///
    /// # Errors
    /// As [`Store::sql`](crate::Store::sql).
    pub async fn sql(&self, sql: Sql) -> Result<SqlOutcome> {
        self.context.sql(sql).await
    }

    /// Runs `work` in a transaction; as [`Context::transaction`], with the system's scope inside it.
    ///
    /// # Errors
    /// As [`Context::transaction`].
    pub async fn transaction<T, F, Fut>(&self, mut work: F) -> Result<T>
    where
        F: FnMut(Self) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        self.context.transaction(|context| work(Self { context })).await
    }
}
