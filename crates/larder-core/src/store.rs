//! The port: what a database driver implements.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{ColumnType, Error, Outcome, Result, Row, Unit, Value, Verb, lane::LaneReport};

/// A database as larder sees it. Object-safe: the facade holds an `Arc<dyn Store>`.
///
/// # Behaviour of every method
/// - May be called from any number of tasks at once, on any executor thread; it never blocks the thread it is polled on
///   longer than it takes to look up a row.
/// - Returns by the store's own deadline, with [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) if need be.
/// - Its future may be dropped at any point: then a write has happened wholly or not at all, and the store is as usable as
///   before.
/// - After [`close`](Store::close) it answers [`ErrorKind::Closed`](crate::ErrorKind::Closed).
/// - Success means committed: it survives the end of the process (as far as the store is durable at all).
/// - It never reads a clock or makes an id: all values come from the caller.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Does this store have the capability? The answer never changes.
    fn supports(&self, capability: Capability) -> bool;

    /// Executes one verb by itself, atomically. The verb's own documentation states what it does.
    ///
    /// # Errors
    /// The kinds that the verb's documentation names, and those of the connection: `Busy`, `Timeout`, `Unavailable`,
    /// `Ambiguous`, `Schema`, `ReadOnly`, `Full`, `TooLarge`, `Denied`, `Closed`, `Corrupt`.
    async fn execute(&self, verb: Verb) -> Result<Outcome>;

    /// Executes the steps of a unit, all or nothing; [`Unit`] states the behaviour.
    ///
    /// # Errors
    /// Those of [`execute`](Store::execute), the requirements' own, and `Contention`.
    async fn run(&self, unit: Unit) -> Result<Vec<Outcome>>;

    /// Opens a transaction.
    ///
    /// # Behaviour
    /// Waits until it can be opened, at most until the store's deadline, then `Busy`.
    ///
    /// # Errors
    /// `Busy`, and those of the connection.
    async fn begin(&self, begin: Begin) -> Result<Box<dyn Transaction>>;

    /// Executes SQL: the escape hatch.
    ///
    /// # Errors
    /// `Unsupported` when the store has no [`Capability::Sql`]; else as [`execute`](Store::execute).
    async fn sql(&self, sql: Sql) -> Result<SqlOutcome>;

    /// A handle on the same database whose reads are so fresh, for a replica; `None` when those of this handle are already, as
    /// they always are where the database itself is read. It writes as this one does, and closing one closes both.
    fn reading(&self, freshness: Freshness) -> Option<Arc<dyn Store>>;

    /// Asks the database whether it is there, by a round trip. A replica says how far it is and does not ask its primary.
    ///
    /// # Errors
    /// Those of the connection.
    async fn health(&self) -> Result<Health>;

    /// Finishes what was accepted, then closes all connections. Closing twice is no error.
    ///
    /// # Errors
    /// When what was accepted could not be finished.
    async fn close(&self) -> Result<()>;
}

/// An open transaction.
///
/// # Behaviour
/// - It sees its own writes; nobody else sees them before the commit.
/// - Isolation is serializable: what commits is as if transactions had run one after the other. One that would not be fails
///   with [`ErrorKind::Contention`](crate::ErrorKind::Contention), at any call, and is then aborted. (With
///   [`Begin::Schema`] there is only one at a time anyway.)
/// - After a `Conflict` from a verb the transaction goes on, and that verb has written nothing. After any other error of a
///   verb it is aborted: core answers `TransactionAborted` from then on and rolls back.
/// - Dropping it rolls back, at whatever point, and returns nothing half done to the pool.
#[async_trait]
pub trait Transaction: fmt::Debug + Send {
    /// Executes one verb inside; as [`Store::execute`].
    ///
    /// # Errors
    /// As [`Store::execute`], and `Contention`.
    async fn execute(&mut self, verb: Verb) -> Result<Outcome>;

    /// Executes SQL inside; as [`Store::sql`]. Scripts must not hold BEGIN, COMMIT or ROLLBACK.
    ///
    /// # Errors
    /// As [`Store::sql`].
    async fn sql(&mut self, sql: Sql) -> Result<SqlOutcome>;

    /// Makes all of it last.
    ///
    /// # Errors
    /// `Contention` (nothing was written), `Ambiguous` when the connection was lost in the middle, those of the connection.
    async fn commit(self: Box<Self>) -> Result<()>;

    /// Undoes all of it, and returns when it is undone.
    ///
    /// # Errors
    /// Those of the connection; it is undone all the same.
    async fn rollback(self: Box<Self>) -> Result<()>;
}

/// How long [`Begin::Schema`] waits, at least, for another transaction of its kind before it is `Busy`.
pub const SCHEMA_LOCK_WAIT: Duration = Duration::from_secs(60);

/// What kind of transaction to open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Begin {
    /// Reads and writes of rows.
    #[default]
    Serializable,
    /// Changes of the schema: on one database there is only one such transaction at a time, across all handles and
    /// processes; others wait for it, [`SCHEMA_LOCK_WAIT`] or the store's deadline, whichever is longer. It sees everything
    /// that was committed before it was opened. Its calls have no deadline, because a migration takes as long as it takes.
    ///
    /// Where a table can only be altered by building it anew, replacing a parent deletes none of its children; references are
    /// checked by the commit at the latest, which fails with `MissingParent` when one points nowhere.
    Schema,
}

/// How fresh the reads of a handle are, outside of transactions. It makes a difference on a replica alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Freshness {
    /// A read sees at least what was written before it through any handle of this process on this replica. It waits until the
    /// replica holds that, as long as the store was configured to, and then answers `Timeout`, or `Unavailable` when the
    /// primary cannot be reached.
    #[default]
    Fresh,
    /// A read sees what the replica holds, and waits for nothing.
    Local,
}

/// What some stores can do and others cannot. Conformance prints and counts the cases that a store's missing
/// capabilities leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// [`Store::sql`] works.
    Sql,
    /// Rows outlive the last handle: a database that is closed and opened again holds them.
    Durable,
    /// Reads outside a transaction go on, and see the state before it, while one is open.
    ReadsDuringTransaction,
    /// Two serializable transactions can be open at once.
    ConcurrentTransactions,
    /// Values of up to [`MAX_VALUE_BYTES`](crate::MAX_VALUE_BYTES) are kept. A store without it keeps those of 4 MiB, and says
    /// `TooLarge` of what its database does not take.
    LargeValues,
}

impl Capability {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Sql,
        Self::Durable,
        Self::ReadsDuringTransaction,
        Self::ConcurrentTransactions,
        Self::LargeValues,
    ];
}

/// A statement or script, once for each SQL dialect, so that the code that uses it does not branch on the database.
#[derive(Debug, Clone, PartialEq)]
pub struct Sql {
    /// For PostgreSQL; placeholders `$1`, `$2`, …
    pub postgres: Cow<'static, str>,
    /// For SQLite; placeholders `?1`, `?2`, …
    pub sqlite: Cow<'static, str>,
    /// The values of the placeholders, with the type of each (NULL needs one).
    pub binds: Vec<(ColumnType, Value)>,
    /// The types of the columns that it returns, in their order; empty when it returns none. Enumerations are read as
    /// text: cast them in PostgreSQL.
    pub returns: Vec<ColumnType>,
}

impl Sql {
    /// The same text for both dialects; it has no placeholders.
    pub fn portable(text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        Self::new(text.clone(), text)
    }

    /// A text for each dialect. Without binds and returns it may be a script of several statements.
    pub fn new(postgres: impl Into<Cow<'static, str>>, sqlite: impl Into<Cow<'static, str>>) -> Self {
        Self { postgres: postgres.into(), sqlite: sqlite.into(), binds: Vec::new(), returns: Vec::new() }
    }

    /// Adds the value of the next placeholder.
    #[must_use]
    pub fn bind(mut self, kind: ColumnType, value: Value) -> Self {
        self.binds.push((kind, value));
        self
    }

    /// Says the types of the columns that it returns.
    #[must_use]
    pub fn returning(mut self, types: impl Into<Vec<ColumnType>>) -> Self {
        self.returns = types.into();
        self
    }
}

/// What SQL answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SqlOutcome {
    /// The rows, when the statement returns any.
    pub rows: Vec<Row>,
    /// The number of rows that it changed; 0 for a script.
    pub affected: u64,
}

/// What [`Store::health`] found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// The database and its version, as a person would name it: `PostgreSQL 15.18`.
    pub version: String,
    /// How long the round trip took.
    pub round_trip: Duration,
    /// What the store's lanes have carried since it was opened; none when calls do not travel together.
    pub lanes: Vec<LaneReport>,
    /// For how long the database has answered reads and taken no writes; `None` when that is not suspected. Then it probably
    /// has to be restarted.
    pub writes_stalled: Option<Duration>,
    /// How far the replica is that reads are answered by; none when the database itself is read.
    pub replica: Option<ReplicaReport>,
}

/// How a replica follows its primary.
#[derive(Debug, Clone)]
pub struct ReplicaReport {
    /// The end of the primary's log, as the primary counts, when the replica was brought up to it last; none when the
    /// primary's database was empty. A primary that was killed begins to count anew.
    pub reached: Option<u64>,
    /// How many writes of this process are not known to be in the replica yet.
    pub outstanding: u64,
    /// For how long it has not been brought up to the primary; none when it was not since it was opened.
    pub age: Option<Duration>,
    /// Why it does not follow at the moment, if it does not.
    pub failing: Option<ReplicaFailure>,
}

/// Why a replica does not follow its primary.
#[derive(Debug, Clone)]
pub struct ReplicaFailure {
    /// For how long.
    pub since: Duration,
    /// The last error.
    pub error: Error,
}

impl Health {
    /// The answer of a database of this version.
    pub fn new(version: impl Into<String>, round_trip: Duration) -> Self {
        Self { version: version.into(), round_trip, lanes: Vec::new(), writes_stalled: None, replica: None }
    }

    /// Adds what the store's lanes have carried.
    #[must_use]
    pub fn with_lanes(mut self, lanes: impl IntoIterator<Item = LaneReport>) -> Self {
        self.lanes.extend(lanes);
        self
    }

    /// Says for how long writes have been suspected to be stalled.
    #[must_use]
    pub fn with_writes_stalled(mut self, stalled: Option<Duration>) -> Self {
        self.writes_stalled = stalled;
        self
    }
    /// Says how far the replica is.
    #[must_use]
    pub fn with_replica(mut self, replica: ReplicaReport) -> Self {
        self.replica = Some(replica);
        self
    }
}
