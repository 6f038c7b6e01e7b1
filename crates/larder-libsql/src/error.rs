//! SQLite's errors in larder's words. What needs to know the verb is in `explain`.

use std::os::raw::c_int;

use larder_core::{Error, ErrorKind};
use rusqlite::ffi;

/// The extended result code, when the error comes from SQLite.
pub(crate) fn extended_code(error: &rusqlite::Error) -> Option<c_int> {
    match error {
        rusqlite::Error::SqliteFailure(error, _) | rusqlite::Error::SqlInputError { error, .. } => {
            Some(error.extended_code)
        }
        _ => None,
    }
}

/// The result code without its extension.
pub(crate) fn primary_code(error: &rusqlite::Error) -> Option<c_int> {
    extended_code(error).map(|code| code & 0xff)
}

/// What SQLite said.
pub(crate) fn message(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}

/// The error of a statement, by its extended result code.
pub(crate) fn from_sqlite(error: rusqlite::Error) -> Error {
    let (kind, context) = kind_of(&error);
    Error::new(kind, context).with_source(error)
}

fn kind_of(error: &rusqlite::Error) -> (ErrorKind, &'static str) {
    let corrupt = || ErrorKind::Corrupt { entity: "database".into(), field: "".into() };
    if extended_code(error) == Some(ffi::SQLITE_BUSY_SNAPSHOT) {
        return (ErrorKind::Contention, "");
    }
    match primary_code(error) {
        Some(ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED) => {
            (ErrorKind::Busy, "another handle or process holds the lock")
        }
        Some(ffi::SQLITE_INTERRUPT) => {
            (ErrorKind::Timeout, "the statement was stopped; nothing of it was written")
        }
        Some(ffi::SQLITE_READONLY) => (ErrorKind::ReadOnly, ""),
        Some(ffi::SQLITE_FULL) => (ErrorKind::Full, ""),
        Some(ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB) => (corrupt(), ""),
        Some(ffi::SQLITE_TOOBIG) => (ErrorKind::TooLarge, ""),
        Some(ffi::SQLITE_CANTOPEN | ffi::SQLITE_IOERR | ffi::SQLITE_NOLFS | ffi::SQLITE_PROTOCOL) => {
            (ErrorKind::Unavailable, "")
        }
        Some(ffi::SQLITE_PERM) => (ErrorKind::Denied, ""),
        Some(ffi::SQLITE_AUTH) => (
            ErrorKind::Unsupported,
            "transactions, savepoints, attached databases and the connection's settings are not for SQL: \
             use `begin`, and the options of the URL",
        ),
        Some(ffi::SQLITE_ERROR) if is_missing(&message(error)) => {
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
