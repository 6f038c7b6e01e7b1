//! One connection, as its thread uses it.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use larder_core::{Error, ErrorKind, Result};
use larder_sql::{Dialect, Statements};
use rusqlite::{
    Connection, OptionalExtension, Row,
    config::DbConfig,
    hooks::{AuthAction, AuthContext, Authorization},
};

use crate::{call::Ticket, error::from_sqlite};

/// How many virtual machine instructions a thread runs between two looks at the deadline: some tens of microseconds.
const INSTRUCTIONS: i32 = 1000;

/// How many run in place between two looks at the clock: some microseconds. To look up a row by a key takes fewer.
const FEW_INSTRUCTIONS: i32 = 100;

/// How long a statement may run in place, counted from the first look at the clock.
const BRIEFLY: Duration = Duration::from_micros(150);

/// Answers a row whose parent does not exist: its table, and the parent's.
pub(crate) const BROKEN_REFERENCE: &str =
    "SELECT \"table\", \"parent\" FROM pragma_foreign_key_check LIMIT 1";

/// A connection with its guards: a deadline for what runs, and no way for SQL to touch transactions or settings that are
/// larder's.
pub(crate) struct Database {
    connection: Connection,
    statements: Statements,
    watched: Arc<Watched>,
    own: Arc<AtomicBool>,
}

/// What keeps the statements that run from running on.
#[derive(Debug, Default)]
struct Watched(Mutex<Option<Limit>>);

#[derive(Debug)]
enum Limit {
    /// The deadline of a call that may run.
    Call { ticket: Arc<Ticket>, is_read: bool },
    /// The thread belongs to others; `since` is when the clock was looked at first.
    Briefly { since: Option<Instant> },
}

impl Limit {
    fn is_reached(&mut self) -> bool {
        match self {
            Self::Call { ticket, is_read } => ticket.is_late() || (*is_read && ticket.is_gone()),
            Self::Briefly { since } => since.get_or_insert_with(Instant::now).elapsed() >= BRIEFLY,
        }
    }
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, Option<Limit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn must_stop(&self) -> bool {
        self.lock().as_mut().is_some_and(Limit::is_reached)
    }
}

/// While it lives, statements are stopped at their limit.
pub(crate) struct Watch<'a>(&'a Watched);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

impl Database {
    /// A connection that is set up, from here on guarded: for a thread.
    pub(crate) fn new(connection: Connection) -> Self {
        Self::guarded(connection, INSTRUCTIONS)
    }

    /// The same, for callers in place.
    pub(crate) fn new_in_place(connection: Connection) -> Self {
        Self::guarded(connection, FEW_INSTRUCTIONS)
    }

    fn guarded(connection: Connection, instructions: i32) -> Self {
        let statements = Statements::new(Dialect::Sqlite);
        let database = Self { connection, statements, watched: Arc::default(), own: Arc::default() };
        database.guard(instructions);
        database
    }

    /// Installs what keeps watch, each time so many instructions were run, over everything that runs from now on.
    fn guard(&self, instructions: i32) {
        let (watched, own) = (Arc::clone(&self.watched), Arc::clone(&self.own));
        self.connection.progress_handler(
            instructions,
            Some(move || !own.load(Ordering::Relaxed) && watched.must_stop()),
        );
        let own = Arc::clone(&self.own);
        self.connection.authorizer(Some(move |context: AuthContext<'_>| {
            if own.load(Ordering::Relaxed) || may_be_used(&context.action) {
                Authorization::Allow
            } else {
                Authorization::Deny
            }
        }));
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The texts of the statements that it has run.
    pub(crate) fn statements(&self) -> &Statements {
        &self.statements
    }

    /// Stops what runs when `ticket` is late, or when it is a read and nobody waits for it any more.
    pub(crate) fn watch(&self, ticket: &Arc<Ticket>, is_read: bool) -> Watch<'_> {
        self.limit(Limit::Call { ticket: Arc::clone(ticket), is_read })
    }

    /// Stops what runs longer than it takes to look up a row or to read a page.
    pub(crate) fn watch_briefly(&self) -> Watch<'_> {
        self.limit(Limit::Briefly { since: None })
    }

    fn limit(&self, limit: Limit) -> Watch<'_> {
        *self.watched.lock() = Some(limit);
        Watch(&self.watched)
    }

    pub(crate) fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Executes a statement of larder's own that opens or ends a transaction or savepoint. It is never stopped half-way.
    pub(crate) fn control(&self, sql: &'static str) -> rusqlite::Result<()> {
        self.as_own(|connection| connection.prepare_cached(sql)?.execute([]).map(|_| ()))
    }

    /// Moves as much of the write-ahead log into the file as is possible without waiting for anybody; true when that is all of
    /// it. The next one makes up for what fails.
    pub(crate) fn checkpoint(&self) -> bool {
        let made: rusqlite::Result<(i64, i64)> = self.as_own(|connection| {
            let mut checkpoint = connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?;
            checkpoint.query_row([], |row| Ok((row.get(1)?, row.get(2)?)))
        });
        match made {
            Ok((pages, moved)) => pages == moved,
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log could not be moved into the file");
                false
            }
        }
    }

    /// Moves the write-ahead log into the file, as far as other processes let it, and empties it.
    pub(crate) fn empty_log(&self) -> rusqlite::Result<()> {
        self.as_own(|connection| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))
    }

    fn as_own<T>(&self, work: impl FnOnce(&Connection) -> T) -> T {
        self.own.store(true, Ordering::Relaxed);
        let result = work(&self.connection);
        self.own.store(false, Ordering::Relaxed);
        result
    }

    /// Switches the enforcement of foreign keys; outside a transaction.
    pub(crate) fn enforce_foreign_keys(&self, enforce: bool) -> Result<()> {
        let switched = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, enforce);
        match switched.map_err(from_sqlite)? == enforce {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Database, "foreign keys cannot be switched")),
        }
    }

    /// Looks for a row whose parent does not exist.
    pub(crate) fn check_foreign_keys(&self) -> Result<()> {
        let first = self.as_own(|connection| {
            let found = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
            connection.query_row(BROKEN_REFERENCE, [], found).optional()
        });
        match first.map_err(from_sqlite)? {
            None => Ok(()),
            Some((child, parent)) => Err(Error::missing_parent(child, parent)),
        }
    }

    /// Ends the transaction without keeping anything of it, if there is still one.
    pub(crate) fn roll_back(&self) {
        if self.in_transaction()
            && let Err(error) = self.control("ROLLBACK")
        {
            tracing::error!(%error, "rollback failed");
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

pub(crate) fn lost_transaction() -> Error {
    Error::new(ErrorKind::TransactionAborted, "the database rolled the transaction back")
}

/// PRAGMAs that take an argument and change nothing that outlasts the transaction but the database itself.
const PRAGMAS_WITH_ARGUMENT: &[&str] = &[
    "application_id",
    "defer_foreign_keys",
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "max_page_count",
    "optimize",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];

/// Transactions, attached databases and the connection's settings are larder's: SQL of others that changed them would
/// commit its neighbours' work, or switch off what every caller relies on.
fn may_be_used(action: &AuthAction<'_>) -> bool {
    match action {
        AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. }
        | AuthAction::Attach { .. }
        | AuthAction::Detach { .. } => false,
        AuthAction::Pragma { pragma_name, pragma_value: Some(_) } => {
            PRAGMAS_WITH_ARGUMENT.iter().any(|allowed| pragma_name.eq_ignore_ascii_case(allowed))
        }
        _ => true,
    }
}
