//! Opening a database, and why one could not be opened.

use std::{
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use larder_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, DatabaseName, OpenFlags, config::DbConfig};

use crate::{
    checkpoint::TOO_MANY_IN_FACT,
    config::{LibsqlConfig, Location},
    database::Database,
    error::from_sqlite,
};

/// How many statements a connection keeps prepared.
const STATEMENTS: usize = 256;

/// How long the write connection waits within SQLite for a lock before its thread looks at its callers again.
const LOCK_SLICE: Duration = Duration::from_millis(100);

/// Opens the connection that writes (and, in memory, reads).
pub(crate) fn open_writer(config: &LibsqlConfig) -> Result<Database> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, config.create);
    let connection = connect(config, flags)
        .and_then(|connection| prepare_writer(config, &connection).map(|()| connection))
        .map_err(|error| why_not_opened(config, error))?;
    Ok(Database::new(connection))
}

/// Opens the connection that makes the checkpoints of the file that the writer has opened.
pub(crate) fn open_checkpointer(config: &LibsqlConfig) -> Result<Database> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    connect(config, flags).map(Database::new).map_err(|error| why_not_opened(config, error))
}

/// Opens a connection that only reads the file that the writer has opened, for a thread.
pub(crate) fn open_reader(config: &LibsqlConfig) -> Result<Database> {
    connect_reader(config).map(Database::new)
}

/// Opens a connection that callers read with in place: it never waits for a lock.
pub(crate) fn open_in_place(config: &LibsqlConfig) -> Result<Database> {
    let connection = connect_reader(config)?;
    connection.busy_timeout(Duration::ZERO).map_err(from_sqlite)?;
    Ok(Database::new_in_place(connection))
}

fn connect_reader(config: &LibsqlConfig) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(config, flags).map_err(|error| why_not_opened(config, error))?;
    connection.pragma_update(None, "query_only", true).map_err(from_sqlite)?;
    Ok(connection)
}

fn connect(config: &LibsqlConfig, flags: OpenFlags) -> Result<Connection> {
    let connection = match &config.location {
        Location::File(path) => Connection::open_with_flags(absolute(path), flags),
        Location::Memory(None) => Connection::open_in_memory(),
        // With this VFS, a name that begins with a slash is shared within the process.
        Location::Memory(Some(name)) => {
            Connection::open_with_flags_and_vfs(format!("/{name}"), flags, "memdb")
        }
    };
    let connection = connection.map_err(from_sqlite)?;
    if set_up(config, &connection).map_err(from_sqlite)? {
        Ok(connection)
    } else {
        Err(Error::unsupported("this SQLite enforces no foreign keys"))
    }
}

/// Sets what every connection needs; true when foreign keys are enforced.
fn set_up(config: &LibsqlConfig, connection: &Connection) -> rusqlite::Result<bool> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(config.busy_timeout)?;
    // "x" is an identifier and never a text, and no SQL may damage the file or switch its journal off.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "synchronous", config.synchronous.to_string())?;
    let kibibytes = i64::try_from(config.cache / 1024).unwrap_or(i64::MAX);
    // Negative means kibibytes; positive would mean pages.
    connection.pragma_update(None, "cache_size", -kibibytes)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_query_value(None, "foreign_keys", |row| row.get(0))
}

fn prepare_writer(config: &LibsqlConfig, connection: &Connection) -> Result<()> {
    if connection.is_readonly(DatabaseName::Main).map_err(from_sqlite)? {
        return Err(Error::new(ErrorKind::ReadOnly, ""));
    }
    if config.is_file() {
        use_wal(config, connection)?;
        connection.pragma_update(None, "wal_autocheckpoint", TOO_MANY_IN_FACT).map_err(from_sqlite)?;
    }
    connection.busy_timeout(LOCK_SLICE).map_err(from_sqlite)
}

/// Switches the file to write-ahead logging. The switch does not wait for other processes that open the file at the same
/// time, so this does.
fn use_wal(config: &LibsqlConfig, connection: &Connection) -> Result<()> {
    let give_up = Instant::now() + config.busy_timeout;
    loop {
        let mode: rusqlite::Result<String> =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
        match mode.map_err(from_sqlite) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => return Err(Error::unsupported(format!("its journal stays in mode {mode}, not WAL"))),
            Err(error) if *error.kind() == ErrorKind::Busy && Instant::now() < give_up => {
                sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error),
        }
    }
}

/// A path that is never mistaken for one of SQLite's special names or URIs.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Names the database, and says what is wrong where SQLite says only "unable to open database file".
fn why_not_opened(config: &LibsqlConfig, error: Error) -> Error {
    let place = config.location.to_string();
    let (kind, context) = match &config.location {
        Location::File(path) => wrong_path(&absolute(path), config.create, &error),
        Location::Memory(_) => None,
    }
    .unwrap_or_else(|| (error.kind().clone(), error.context().to_owned()));
    let context = if context.is_empty() { place } else { format!("{place}: {context}") };
    Error::new(kind, context).with_source(error)
}

fn wrong_path(path: &Path, create: bool, error: &Error) -> Option<(ErrorKind, String)> {
    let directory = path.parent().unwrap_or(path);
    if path.is_dir() {
        return Some((ErrorKind::Config, "this is a directory, not a file".to_owned()));
    }
    if !directory.is_dir() {
        return Some((ErrorKind::Config, format!("there is no directory {}", directory.display())));
    }
    match error.kind() {
        ErrorKind::Unavailable if !path.exists() && !create => {
            Some((ErrorKind::Unavailable, "there is no such file, and create=false".to_owned()))
        }
        ErrorKind::Unavailable if !path.exists() => {
            Some((ErrorKind::ReadOnly, format!("no file can be created in {}", directory.display())))
        }
        kind @ ErrorKind::Corrupt { .. } => {
            Some((kind.clone(), "this is no libSQL or SQLite database, or it is damaged".to_owned()))
        }
        _ => None,
    }
}
