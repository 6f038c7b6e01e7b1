//! SQLite's errors in larder's words. What needs to know the verb is in `explain`.

use std::{fmt, os::raw::c_int};

use larder_core::{Error, ErrorKind};
use rusqlite::ffi;

/// What SQLite says, here or on a server: its extended result code (0 when there is none) and its words.
#[derive(Debug)]
pub(crate) struct SqliteError {
    pub(crate) code: c_int,
    pub(crate) message: String,
}

impl SqliteError {
    /// Does the statement break a rule of the database?
    pub(crate) fn is_constraint(&self) -> bool {
        primary(self.code) == ffi::SQLITE_CONSTRAINT
    }
}

impl fmt::Display for SqliteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SqliteError {}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        let code = extended_code(&error).unwrap_or(0);
        let message = match error {
            rusqlite::Error::SqliteFailure(_, Some(message)) => message,
            rusqlite::Error::SqlInputError { msg, .. } => msg,
            other => other.to_string(),
        };
        Self { code, message }
    }
}

fn extended_code(error: &rusqlite::Error) -> Option<c_int> {
    match error {
        rusqlite::Error::SqliteFailure(error, _) | rusqlite::Error::SqlInputError { error, .. } => {
            Some(error.extended_code)
        }
        _ => None,
    }
}

/// The result code without its extension, when the error comes from SQLite.
pub(crate) fn primary_code(error: &rusqlite::Error) -> Option<c_int> {
    extended_code(error).map(primary)
}

fn primary(code: c_int) -> c_int {
    code & 0xff
}

/// The error of a statement, by its extended result code.
pub(crate) fn from_sqlite(error: impl Into<SqliteError>) -> Error {
    let error = error.into();
    let (kind, context) = kind_of(&error);
    Error::new(kind, context).with_source(error)
}

fn kind_of(error: &SqliteError) -> (ErrorKind, &'static str) {
    let corrupt = || ErrorKind::Corrupt { entity: "database".into(), field: "".into() };
    if error.code == ffi::SQLITE_BUSY_SNAPSHOT {
        return (ErrorKind::Contention, "");
    }
    match primary(error.code) {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => {
            (ErrorKind::Busy, "another handle or process holds the lock")
        }
        ffi::SQLITE_INTERRUPT => (ErrorKind::Timeout, "the statement was stopped; nothing of it was written"),
        ffi::SQLITE_READONLY => (ErrorKind::ReadOnly, ""),
        ffi::SQLITE_FULL => (ErrorKind::Full, ""),
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => (corrupt(), ""),
        ffi::SQLITE_TOOBIG => (ErrorKind::TooLarge, ""),
        ffi::SQLITE_CANTOPEN | ffi::SQLITE_IOERR | ffi::SQLITE_NOLFS | ffi::SQLITE_PROTOCOL => {
            (ErrorKind::Unavailable, "")
        }
        ffi::SQLITE_PERM => (ErrorKind::Denied, ""),
        ffi::SQLITE_AUTH => (
            ErrorKind::Unsupported,
            "transactions, savepoints, attached databases and the connection's settings are not for SQL: \
             use `begin`, and the options of the URL",
        ),
        ffi::SQLITE_ERROR if is_missing(&error.message) => {
            (ErrorKind::Schema, "the database has no such table or column: run migrate()")
        }
        _ => (ErrorKind::Database, ""),
    }
}

fn is_missing(message: &str) -> bool {
    message.starts_with("no such table")
        || message.contains("no such column")
        || message.contains("has no column named")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_extended_code() {
        let corrupt = ErrorKind::Corrupt { entity: "database".into(), field: "".into() };
        for (code, kind) in [
            (ffi::SQLITE_BUSY, ErrorKind::Busy),
            (ffi::SQLITE_BUSY_RECOVERY, ErrorKind::Busy),
            (ffi::SQLITE_BUSY_SNAPSHOT, ErrorKind::Contention),
            (ffi::SQLITE_LOCKED_SHAREDCACHE, ErrorKind::Busy),
            (ffi::SQLITE_INTERRUPT, ErrorKind::Timeout),
            (ffi::SQLITE_READONLY_DIRECTORY, ErrorKind::ReadOnly),
            (ffi::SQLITE_FULL, ErrorKind::Full),
            (ffi::SQLITE_CORRUPT, corrupt.clone()),
            (ffi::SQLITE_NOTADB, corrupt),
            (ffi::SQLITE_TOOBIG, ErrorKind::TooLarge),
            (ffi::SQLITE_CANTOPEN, ErrorKind::Unavailable),
            (ffi::SQLITE_IOERR_READ, ErrorKind::Unavailable),
            (ffi::SQLITE_PERM, ErrorKind::Denied),
            (ffi::SQLITE_AUTH, ErrorKind::Unsupported),
            (ffi::SQLITE_NOMEM, ErrorKind::Database),
        ] {
            let error = from_sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
            assert_eq!(*error.kind(), kind, "{code}");
        }
    }
}
