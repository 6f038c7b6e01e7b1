//! What a case works with.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};
use larder::{
    Filter, Ids, Larder, ManualClock, Order, Outcome, RetryPolicy, Row, Select, SequentialIds, SortDirection,
    Store, SystemScope, Table, UserScope, Verb, model::NewUser, model::SystemModel,
};

use crate::{Backend, Database, Failure, Limits, Schema};

/// A fresh database with a [`Larder`] on it, a clock that stands still, and ids that are the same in every run. Clones are
/// the same world.
#[derive(Clone)]
pub struct World {
    backend: Arc<dyn Backend>,
    schema: Arc<Schema>,
    database: Arc<dyn Database>,
    clock: ManualClock,
    ids: Arc<SequentialIds>,
    larder: Larder,
}

/// What the clock shows when a case begins: 2026-01-02T03:04:05.678901Z.
pub fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_767_323_045_678_901).unwrap_or_default()
}

impl World {
    /// A world on a fresh database of this backend.
    ///
    /// # Errors
    /// When the backend has none.
    pub(crate) async fn create(backend: Arc<dyn Backend>, schema: Arc<Schema>) -> Result<Self, Failure> {
        let database: Arc<dyn Database> = Arc::from(backend.create(&schema).await?);
        let (clock, ids) = (ManualClock::new(beginning()), Arc::new(SequentialIds::default()));
        let larder = open(database.store(), &clock, &ids, RetryPolicy::default());
        Ok(Self { backend, schema, database, clock, ids, larder })
    }

    /// Another world on another fresh database of the same backend, its clock and ids from the beginning.
    ///
    /// # Errors
    /// When the backend has none.
    pub async fn another(&self) -> Result<Self, Failure> {
        Self::create(Arc::clone(&self.backend), Arc::clone(&self.schema)).await
    }

    /// Another world, on a fresh database of another backend.
    ///
    /// # Errors
    /// When that backend has none.
    pub async fn another_on(&self, backend: Arc<dyn Backend>) -> Result<Self, Failure> {
        Self::create(backend, Arc::clone(&self.schema)).await
    }

    /// Another world on another fresh database of the same backend, in which no table was made.
    ///
    /// # Errors
    /// When the backend has none.
    pub async fn without_tables(&self) -> Result<Self, Failure> {
        let schema = Schema { tables: Vec::new(), migrations: Vec::new() };
        Self::create(Arc::clone(&self.backend), Arc::new(schema)).await
    }

    /// What the world's database is of.
    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// The facade.
    pub fn larder(&self) -> &Larder {
        &self.larder
    }

    /// The store beneath.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self.larder.store())
    }

    /// The system's scope.
    pub fn system(&self) -> SystemScope {
        self.larder.system()
    }

    /// Creates a user of this name and gives the user's scope.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn user(&self, name: &str) -> larder::Result<UserScope> {
        let user =
            self.system().users().create(NewUser { name: Some(name.into()), ..NewUser::default() }).await?;
        Ok(self.larder.user(user.id))
    }

    /// The clock, to move it.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// What the clock shows.
    pub fn now(&self) -> DateTime<Utc> {
        self.larder.system().context().now()
    }

    /// The tables.
    pub fn tables(&self) -> &[&'static Table] {
        &self.schema.tables
    }

    /// A second, independent handle on the same database, with the same clock and ids.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn reopen(&self) -> Result<Larder, Failure> {
        Ok(open(self.database.reopen().await?, &self.clock, &self.ids, RetryPolicy::default()))
    }

    /// As [`reopen`](World::reopen), within these limits, and it tries nothing a second time.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn reopen_within(&self, limits: Limits) -> Result<Larder, Failure> {
        Ok(open(self.database.reopen_within(limits).await?, &self.clock, &self.ids, RetryPolicy::NEVER))
    }

    /// A handle on another store, with the same clock and ids. It tries nothing a second time.
    pub(crate) fn over(&self, store: Arc<dyn Store>) -> Larder {
        open(store, &self.clock, &self.ids, RetryPolicy::NEVER)
    }

    /// All rows of a table as the store reads them, whoever's they are, in the order of the primary key.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn rows(&self, table: &'static Table) -> larder::Result<Vec<Row>> {
        let order = table.primary_key.iter().map(|&column| Order { column, direction: SortDirection::Asc });
        let select = Select {
            table,
            owner: None,
            filter: Filter::always(),
            order: order.collect(),
            after: None,
            offset: 0,
            limit: None,
        };
        match self.store().execute(Verb::Select(select)).await? {
            Outcome::Rows(rows) => Ok(rows),
            other => {
                Err(larder::Error::corrupt(table.entity, "").with_context(format!("answered {other:?}")))
            }
        }
    }

    /// All rows of all tables, table by table.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn all_rows(&self) -> larder::Result<Vec<(&'static str, Vec<Row>)>> {
        let mut all = Vec::new();
        for table in self.tables() {
            all.push((table.name, self.rows(table).await?));
        }
        Ok(all)
    }

    /// Keeps the database from being dropped.
    pub(crate) fn database(&self) -> Arc<dyn Database> {
        Arc::clone(&self.database)
    }
}

/// Names the backend alone: a failing case prints its world.
impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("backend", &self.backend.name()).finish_non_exhaustive()
    }
}

fn open(store: Arc<dyn Store>, clock: &ManualClock, ids: &Arc<SequentialIds>, retry: RetryPolicy) -> Larder {
    Larder::builder().clock(clock.clone()).ids(SharedIds(Arc::clone(ids))).retry(retry).store(store)
}

/// All handles of a world draw from the same ids.
#[derive(Debug)]
struct SharedIds(Arc<SequentialIds>);

impl Ids for SharedIds {
    fn next(&self, now: DateTime<Utc>) -> uuid::Uuid {
        self.0.next(now)
    }

    fn random(&self, bytes: &mut [u8]) -> larder::Result<()> {
        self.0.random(bytes)
    }
}
