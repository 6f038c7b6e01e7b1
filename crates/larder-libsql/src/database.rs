//! One connection, as its thread uses it.

use std::{
    fmt,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use larder_core::{Error, ErrorKind, Result};
use rusqlite::{
    Connection, DatabaseName, OpenFlags,
    config::DbConfig,
    hooks::{AuthAction, AuthContext, Authorization},
};

use crate::{
    call::Ticket,
    config::{LibsqlConfig, Location},
    error::from_sqlite,
};

/// How many statements a connection keeps prepared.
const STATEMENTS: usize = 256;

/// How many virtual machine instructions run between two looks at the deadline: some tens of microseconds.
const INSTRUCTIONS: i32 = 1000;

/// How long the write connection waits within SQLite for a lock before its thread looks at its callers again.
const LOCK_SLICE: Duration = Duration::from_millis(100);

/// A connection with its guards: a deadline for what runs, and no way for SQL to touch transactions or settings that are
/// larder's.
pub(crate) struct Database {
    connection: Connection,
    watched: Arc<Watched>,
    own: Arc<AtomicBool>,
}

/// The call whose statements are running.
#[derive(Debug, Default)]
struct Watched(Mutex<Option<(Arc<Ticket>, bool)>>);

impl Watched {
    fn lock(&self) -> MutexGuard<'_, Option<(Arc<Ticket>, bool)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn must_stop(&self) -> bool {
        self.lock()
            .as_ref()
            .is_some_and(|(ticket, is_read)| ticket.is_late() || (*is_read && ticket.is_gone()))
    }
}

/// While it lives, statements are stopped at the call's deadline.
pub(crate) struct Watch<'a>(&'a Watched);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

impl Database {
    /// Opens the connection that writes (and, in memory, reads).
    pub(crate) fn open_writer(config: &LibsqlConfig) -> Result<Self> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, config.create);
        let database = Self::connect(config, flags).map_err(|error| why_not_opened(config, error))?;
        database.set_up(config).map_err(|error| why_not_opened(config, error))?;
        database.connection.busy_timeout(LOCK_SLICE).map_err(from_sqlite)?;
        if database.connection.is_readonly(DatabaseName::Main).map_err(from_sqlite)? {
            let context = format!("{} may not be written to", config.location);
            return Err(Error::new(ErrorKind::ReadOnly, context));
        }
        if let Location::File(_) = config.location {
            database.use_wal(config)?;
        }
        database.guard();
        Ok(database)
    }

    /// Opens a connection that only reads the file that the writer has opened.
    pub(crate) fn open_reader(config: &LibsqlConfig) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Self::connect(config, flags).map_err(from_sqlite)?;
        database.set_up(config).map_err(from_sqlite)?;
        database.connection.busy_timeout(config.busy_timeout).map_err(from_sqlite)?;
        database.connection.pragma_update(None, "query_only", true).map_err(from_sqlite)?;
        database.guard();
        Ok(database)
    }

    fn connect(config: &LibsqlConfig, flags: OpenFlags) -> rusqlite::Result<Self> {
        let connection = match &config.location {
            Location::File(path) => Connection::open_with_flags(absolute(path), flags),
            Location::Memory(None) => Connection::open_in_memory(),
            // With this VFS, a name that begins with a slash is shared within the process.
            Location::Memory(Some(name)) => {
                Connection::open_with_flags_and_vfs(format!("/{name}"), flags, "memdb")
            }
        }?;
        Ok(Self { connection, watched: Arc::default(), own: Arc::default() })
    }

    fn set_up(&self, config: &LibsqlConfig) -> rusqlite::Result<()> {
        let connection = &self.connection;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.busy_timeout(config.busy_timeout)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
        // "x" is an identifier and never a text, and no SQL may damage the file or switch its journal off.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "synchronous", config.synchronous.to_string())?;
        let kibibytes = i64::try_from(config.cache / 1024).unwrap_or(i64::MAX);
        // Negative means kibibytes; positive would mean pages.
        connection.pragma_update(None, "cache_size", -kibibytes)?;
        let enforced: bool = connection.pragma_query_value(None, "foreign_keys", |row| row.get(0))?;
        if enforced { Ok(()) } else { Err(rusqlite::Error::InvalidQuery) }
    }

    /// Switches the file to write-ahead logging. The switch does not wait for other processes that open the file at the
    /// same time, so this does.
    fn use_wal(&self, config: &LibsqlConfig) -> Result<()> {
        let give_up = std::time::Instant::now() + config.busy_timeout;
        loop {
            let mode = self
                .connection
                .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
            match mode.map_err(|error| why_not_opened(config, error)) {
                Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
                Ok(mode) => {
                    let context = format!("the journal of {} stays in mode {mode}, not WAL", config.location);
                    return Err(Error::new(ErrorKind::Unsupported, context));
                }
                Err(error) if *error.kind() == ErrorKind::Busy && std::time::Instant::now() < give_up => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Installs what keeps watch over everything that runs from now on.
    fn guard(&self) {
        let (watched, own) = (Arc::clone(&self.watched), Arc::clone(&self.own));
        self.connection.progress_handler(
            INSTRUCTIONS,
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

    /// Stops what runs when `ticket` is late, or when it is a read and nobody waits for it any more.
    pub(crate) fn watch(&self, ticket: &Arc<Ticket>, is_read: bool) -> Watch<'_> {
        *self.watched.lock() = Some((Arc::clone(ticket), is_read));
        Watch(&self.watched)
    }

    pub(crate) fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Executes a statement of larder's own that opens or ends a transaction or savepoint. It is never stopped half-way.
    pub(crate) fn control(&self, sql: &'static str) -> rusqlite::Result<()> {
        self.as_own(|connection| connection.prepare_cached(sql)?.execute([]).map(|_| ()))
    }

    /// Moves the write-ahead log into the file, as far as other processes let it.
    pub(crate) fn checkpoint(&self) -> rusqlite::Result<()> {
        self.as_own(|connection| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))
    }

    fn as_own<T>(&self, work: impl FnOnce(&Connection) -> T) -> T {
        self.own.store(true, Ordering::Relaxed);
        let result = work(&self.connection);
        self.own.store(false, Ordering::Relaxed);
        result
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

/// A path that is never mistaken for one of SQLite's special names.
fn absolute(path: &Path) -> std::path::PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// SQLite says "unable to open database file" for most of what can be wrong with a path: looks for the reason.
fn why_not_opened(config: &LibsqlConfig, error: rusqlite::Error) -> Error {
    let error = from_sqlite(error);
    let Location::File(path) = &config.location else { return error };
    let place = config.location.to_string();
    if path.is_dir() {
        return Error::new(ErrorKind::Config, format!("{place} is a directory, not a file"))
            .with_source(error);
    }
    let path = absolute(path);
    let directory = path.parent().unwrap_or(&path);
    if !directory.is_dir() {
        let context = format!("the directory {} does not exist", directory.display());
        return Error::new(ErrorKind::Config, context).with_source(error);
    }
    match error.kind() {
        ErrorKind::Unavailable if !path.exists() && !config.create => {
            Error::new(ErrorKind::Unavailable, format!("{place} does not exist, and create=false"))
                .with_source(error)
        }
        ErrorKind::Unavailable if !path.exists() => {
            let context = format!("no file can be created in the directory {}", directory.display());
            Error::new(ErrorKind::ReadOnly, context).with_source(error)
        }
        ErrorKind::Corrupt { .. } => {
            let kind = error.kind().clone();
            Error::new(kind, format!("{place} is not a libSQL or SQLite database, or it is damaged"))
                .with_source(error)
        }
        kind => Error::new(kind.clone(), place).with_source(error),
    }
}
