//! What a server says is wrong, in larder's words.

use larder_core::{Error, ErrorKind};
use libsql_hrana::proto;
use rusqlite::ffi;

use crate::{error::SqliteError, statement::Failure};

/// A request that got no answer of use.
#[derive(Debug, Clone)]
pub(crate) struct Lost {
    /// Why, as it is answered to who only wanted to read.
    pub(crate) error: Error,
    pub(crate) fate: Fate,
}

/// What became of a request that was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The server has not executed it. Sent again it may succeed.
    NotSent,
    /// The server has refused to execute it, and would again.
    Refused,
    /// It was sent, and nobody knows.
    Unknown,
}

impl Lost {
    pub(crate) fn not_sent(error: Error) -> Self {
        Self { error, fate: Fate::NotSent }
    }

    pub(crate) fn refused(error: Error) -> Self {
        Self { error, fate: Fate::Refused }
    }

    pub(crate) fn unknown(error: Error) -> Self {
        Self { error, fate: Fate::Unknown }
    }

    /// The error for who wanted to write.
    pub(crate) fn of_write(self) -> Error {
        match (self.fate, self.error.kind()) {
            // A deadline says by itself that nobody knows.
            (Fate::Unknown, kind) if *kind != ErrorKind::Timeout => {
                let context = "the connection was lost before the answer came: it may or may not be written";
                Error::new(ErrorKind::Ambiguous, context).with_source(self.error)
            }
            _ => self.error,
        }
    }
}

/// The error of a statement, or of a whole request, by its code.
pub(crate) fn failure(error: proto::Error) -> Failure {
    let proto::Error { message, code } = error;
    let said = ["SQLite error: ", "SQL input error: "]
        .into_iter()
        .find_map(|prefix| message.strip_prefix(prefix))
        .unwrap_or(&message);
    if let Some(code) = sqlite_code(&code, said) {
        return Failure::Sqlite(SqliteError { code, message: said.to_owned() });
    }
    let (kind, context) = kind_of(&code, said);
    Failure::Other(Error::new(kind, context).with_source(SqliteError { code: 0, message: said.to_owned() }))
}

/// SQLite's own codes have come without their extension: the message tells the constraints apart.
fn sqlite_code(code: &str, message: &str) -> Option<i32> {
    Some(match code {
        "SQLITE_CONSTRAINT" => constraint_code(message),
        "SQLITE_BUSY" => ffi::SQLITE_BUSY,
        "SQLITE_LOCKED" => ffi::SQLITE_LOCKED,
        "SQLITE_INTERRUPT" => ffi::SQLITE_INTERRUPT,
        "SQLITE_READONLY" => ffi::SQLITE_READONLY,
        "SQLITE_FULL" => ffi::SQLITE_FULL,
        "SQLITE_CORRUPT" => ffi::SQLITE_CORRUPT,
        "SQLITE_NOTADB" => ffi::SQLITE_NOTADB,
        "SQLITE_TOOBIG" => ffi::SQLITE_TOOBIG,
        "SQLITE_CANTOPEN" => ffi::SQLITE_CANTOPEN,
        "SQLITE_IOERR" => ffi::SQLITE_IOERR,
        "SQLITE_PERM" => ffi::SQLITE_PERM,
        "SQLITE_AUTH" => ffi::SQLITE_AUTH,
        "SQLITE_UNKNOWN" | "SQL_INPUT_ERROR" => ffi::SQLITE_ERROR,
        _ => return None,
    })
}

fn constraint_code(message: &str) -> i32 {
    let begins = |begin: &str| message.starts_with(begin);
    if begins("UNIQUE") {
        ffi::SQLITE_CONSTRAINT_UNIQUE
    } else if begins("FOREIGN KEY") {
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY
    } else if begins("NOT NULL") {
        ffi::SQLITE_CONSTRAINT_NOTNULL
    } else if begins("CHECK") {
        ffi::SQLITE_CONSTRAINT_CHECK
    } else if begins("cannot store") {
        ffi::SQLITE_CONSTRAINT_DATATYPE
    } else {
        ffi::SQLITE_CONSTRAINT
    }
}

fn kind_of(code: &str, message: &str) -> (ErrorKind, &'static str) {
    match code {
        "TRANSACTION_TIMEOUT" => (
            ErrorKind::Contention,
            "the server gave the transaction's lock to another writer; nothing of it was written",
        ),
        "TRANSACTION_BUSY" => (ErrorKind::Busy, "the server takes no more transactions at the moment"),
        "STREAM_EXPIRED" => (
            ErrorKind::TransactionAborted,
            "the server ended the transaction because it was idle for too long; nothing of it was written",
        ),
        "RESPONSE_TOO_LARGE" => {
            (ErrorKind::TooLarge, "the answer is larger than the server sends: read less at once, by pages")
        }
        "ARGS_INVALID" if message.contains("too big") => {
            (ErrorKind::TooLarge, "a value is larger than the server takes; nothing was written")
        }
        "BLOCKED" => (ErrorKind::Denied, "the server has blocked this for the database"),
        "SQL_PARSE_ERROR" if message.contains("unsupported statement") => {
            (ErrorKind::Unsupported, "the server does not execute such a statement")
        }
        _ => (ErrorKind::Database, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: &str, message: &str) -> ErrorKind {
        let error = proto::Error { message: message.to_owned(), code: code.to_owned() };
        Error::from(failure(error)).kind().clone()
    }

    #[test]
    fn kinds_follow_the_code() {
        assert_eq!(kind("TRANSACTION_TIMEOUT", "Transaction timed out"), ErrorKind::Contention);
        assert_eq!(kind("STREAM_EXPIRED", "The stream has expired"), ErrorKind::TransactionAborted);
        assert_eq!(kind("SQLITE_BUSY", "SQLite error: database is locked"), ErrorKind::Busy);
        assert_eq!(kind("RESPONSE_TOO_LARGE", "Response is too large"), ErrorKind::TooLarge);
        let too_big = "Arguments do not match SQL parameters: string or blob too big";
        assert_eq!(kind("ARGS_INVALID", too_big), ErrorKind::TooLarge);
        assert_eq!(
            kind("SQL_INPUT_ERROR", "SQL input error: no such table: a (at offset 9)"),
            ErrorKind::Schema
        );
        assert_eq!(kind("SOMETHING_NEW", "?"), ErrorKind::Database);
    }

    #[test]
    fn constraints_are_told_apart() {
        for (message, code) in [
            ("UNIQUE constraint failed: a.b", ffi::SQLITE_CONSTRAINT_UNIQUE),
            ("FOREIGN KEY constraint failed", ffi::SQLITE_CONSTRAINT_FOREIGNKEY),
            ("NOT NULL constraint failed: a.b", ffi::SQLITE_CONSTRAINT_NOTNULL),
            ("CHECK constraint failed: a_b", ffi::SQLITE_CONSTRAINT_CHECK),
            ("cannot store TEXT value in INTEGER column a.b", ffi::SQLITE_CONSTRAINT_DATATYPE),
        ] {
            let message = format!("SQLite error: {message}");
            let error = failure(proto::Error { message, code: "SQLITE_CONSTRAINT".to_owned() });
            assert!(matches!(error, Failure::Sqlite(error) if error.code == code));
        }
    }
}
