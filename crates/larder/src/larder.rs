//! The handle on a database.

use std::sync::Arc;

use larder_core::{
    Clock, Context, Freshness, Health, Ids, Migrations, RandomIds, Result, RetryPolicy, Store, SystemClock,
    SystemScope, UserScope,
};
use larder_migrate::{Applied, Status};
use larder_model::UserId;

use crate::open::open_store;

/// A database, opened. Cheap to clone; all clones share its connections.
#[derive(Debug, Clone)]
pub struct Larder {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    context: Context,
    migrations: Arc<[Migrations]>,
}

/// What a [`Larder`] is opened with; [`Larder::builder`] begins it.
#[derive(Debug)]
pub struct Builder {
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    retry: RetryPolicy,
    migrations: Vec<Migrations>,
}

impl Larder {
    /// Opens a database; the URL says which.
    ///
    /// | URL | database |
    /// |---|---|
    /// | `file:app.db`, `file:/var/lib/app.db` | a libSQL file, made when it is missing |
    /// | `memory:` | a libSQL database in memory, gone with the last handle; `memory:name` is shared within the process |
    /// | `libsql://host`, `https://host`, `http://host:8080` | a libSQL server, such as Turso |
    /// | `libsql://host?replica=edge.db` | the same, read from a replica in a file beside the program (feature `replica`) |
    /// | `postgres://user:password@host:5432/database` | PostgreSQL |
    /// | `libsql://host`, `https://host`, `http://host:8080` | a libSQL server: Turso, or sqld |
    ///
    /// Options follow as in `file:app.db?synchronous=normal`; each driver's configuration type lists them. An unknown one is
    /// an error.
    ///
    /// It does not migrate: [`Larder::migrate`] does. When migrations are pending it says so in the log.
    ///
    /// # Errors
    /// `Config` when the URL is wrong; `Denied`, `Unavailable`, `Corrupt`, `ReadOnly` when the database cannot be opened;
    /// `Migration` when it was migrated by a newer program, or with other migrations than this program's.
    pub async fn open(url: &str) -> Result<Self> {
        Self::builder().open(url).await
    }

    /// Begins to say what to open a database with.
    pub fn builder() -> Builder {
        Builder {
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds::default()),
            retry: RetryPolicy::default(),
            migrations: vec![larder_model::migrations()],
        }
    }

    /// What belongs to this user, and nothing else.
    pub fn user(&self, user: UserId) -> UserScope {
        UserScope::new(self.context.clone(), user)
    }

    /// What the system itself may do.
    pub fn system(&self) -> SystemScope {
        SystemScope::new(self.context.clone())
    }

    /// The same database, with reads that are so fresh; on a replica that makes a difference. Writes go where they went, and
    /// closing one closes both.
    #[must_use]
    pub fn reading(&self, freshness: Freshness) -> Self {
        let Some(store) = self.store.reading(freshness) else { return self.clone() };
        Self { context: self.context.on(Arc::clone(&store)), store, ..self.clone() }
    }

    /// The store beneath.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Applies all pending migrations, larder's own first. Any number of processes may do so at once.
    ///
    /// # Errors
    /// `Migration` when the database does not fit this program's migrations, or a step fails; see
    /// [`larder_migrate::migrate`].
    pub async fn migrate(&self) -> Result<Vec<Applied>> {
        larder_migrate::migrate(&self.store, &*self.clock, &self.migrations).await
    }

    /// Which migrations were applied and which are pending. Changes nothing.
    ///
    /// # Errors
    /// `Migration` when the database does not fit this program's migrations.
    pub async fn migrations(&self) -> Result<Status> {
        larder_migrate::status(&self.store, &self.migrations).await
    }

    /// Asks the database whether it is there.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn health(&self) -> Result<Health> {
        self.store.health().await
    }

    /// Finishes what was begun and closes all connections; whatever is asked afterwards answers `Closed`.
    ///
    /// # Errors
    /// When what was begun could not be finished.
    pub async fn close(&self) -> Result<()> {
        self.store.close().await
    }
}

impl Builder {
    /// The clock; the machine's, when not said.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where ids come from; random UUIDv7, when not said.
    #[must_use]
    pub fn ids(mut self, ids: impl Ids) -> Self {
        self.ids = Arc::new(ids);
        self
    }

    /// How transactions that lost against others are tried again.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Adds an application's own migrations; they are applied after larder's.
    #[must_use]
    pub fn migrations(mut self, migrations: Migrations) -> Self {
        self.migrations.push(migrations);
        self
    }

    /// Opens a database by its URL; see [`Larder::open`].
    ///
    /// # Errors
    /// As [`Larder::open`].
    pub async fn open(self, url: &str) -> Result<Larder> {
        let larder = self.store(open_store(url).await?);
        let pending = larder.migrations().await?.pending;
        if !pending.is_empty() {
            tracing::warn!(?pending, "migrations are pending: call migrate()");
        }
        Ok(larder)
    }

    /// Takes a store that is open already: one of one's own, or a [`MemoryStore`](crate::MemoryStore). Asks it nothing.
    pub fn store(self, store: Arc<dyn Store>) -> Larder {
        let context = Context::new(Arc::clone(&store), Arc::clone(&self.clock), self.ids, self.retry);
        Larder { store, clock: self.clock, context, migrations: self.migrations.into() }
    }
}
