//! What PostgreSQL's errors mean.

use std::{error::Error as StdError, fmt, io};

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use larder_core::{Assign, Error, ErrorKind, Table, Verb};
use postgres_protocol::message::backend::Message;
use tokio_postgres::error::{DbError, Severity};

use crate::wire::Broken;

/// PostgreSQL cuts longer names off.
const MAX_NAME_BYTES: usize = 63;

/// The transaction failed before.
const FAILED_TRANSACTION: &str = "25P02";

/// A prepared statement is not there: where it was to be prepared in the same trip, something failed.
const UNKNOWN_STATEMENT: &str = "26000";

/// Why something on a session failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was refused; the session is as good as before (in a transaction, it is aborted).
    Refused(Error),
    /// The server refused it; the session is as good as before. What it means depends on the verb.
    Server(Box<ServerError>),
    /// It was not executed, because something before it failed.
    Skipped,
    /// The connection is gone.
    Lost(Lost),
}

/// A lost connection.
#[derive(Debug)]
pub(crate) struct Lost {
    cause: LostCause,
    /// Is it certain that nothing of what was sent will ever be applied?
    pub(crate) nothing_applied: bool,
}

#[derive(Debug)]
enum LostCause {
    Server(Box<ServerError>),
    Connection(io::Error),
}

impl Lost {
    /// The error for the caller of a read.
    pub(crate) fn into_unavailable(self) -> Error {
        self.into_error(ErrorKind::Unavailable, "the connection to PostgreSQL was lost")
    }

    /// The error for the caller of a write.
    pub(crate) fn into_write_error(self) -> Error {
        if self.nothing_applied {
            return self.into_unavailable();
        }
        self.into_error(ErrorKind::Ambiguous, "")
    }

    fn into_error(self, kind: ErrorKind, context: &'static str) -> Error {
        let error = Error::new(kind, context);
        match self.cause {
            LostCause::Server(cause) => error.with_source(*cause),
            LostCause::Connection(cause) => error.with_source(cause),
        }
    }
}

impl From<Broken> for Failure {
    fn from(Broken { cause, nothing_sent }: Broken) -> Self {
        // Also a breach of the protocol: nobody knows what state the connection is in.
        Self::Lost(Lost { cause: LostCause::Connection(cause), nothing_applied: nothing_sent })
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        let error = Box::new(error);
        // A prepared statement whose columns changed their type is refused before it is executed, and for as long as the
        // connection keeps it: a new connection is the simplest way to forget it, and a change of the schema is rare.
        let outdated = error.code == "0A000" && error.message.starts_with("cached plan");
        if !error.fatal && !outdated {
            return match error.code.as_str() {
                FAILED_TRANSACTION | UNKNOWN_STATEMENT => Self::Skipped,
                _ => Self::Server(error),
            };
        }
        // The server ends a session for good (57P01: an administrator's command) only where it can still abort what it was
        // doing: once a commit is recorded it answers before it listens again.
        Self::Lost(Lost { cause: LostCause::Server(error), nothing_applied: true })
    }
}

impl Failure {
    /// What the server refused, explained by the verb that it refused.
    pub(crate) fn explained(self, verb: Option<&Verb>) -> Self {
        match self {
            Self::Server(error) => Self::Refused(error.explained(verb)),
            other => other,
        }
    }

    /// The error for a caller, where what was lost was not yet to last.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Server(error) => error.explained(None),
            Self::Skipped => Error::new(ErrorKind::TransactionAborted, ""),
            Self::Lost(lost) => lost.into_unavailable(),
        }
    }

    /// A statement of a transaction that was not committed: whatever happened to it, nothing of it is applied.
    pub(crate) fn before_commit(self) -> Self {
        match self {
            Self::Lost(lost) => Self::Lost(Lost { nothing_applied: true, ..lost }),
            other => other,
        }
    }
}

/// An error that PostgreSQL reported: the source of a larder error. It leaves out the report's detail, which may quote
/// whole rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerError {
    /// The SQLSTATE.
    pub code: String,
    /// The message.
    pub message: String,
    /// The constraint that was violated.
    pub constraint: Option<String>,
    /// The table concerned.
    pub table: Option<String>,
    /// The column concerned.
    pub column: Option<String>,
    /// Did the server end the session with it?
    pub fatal: bool,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.code)
    }
}

impl StdError for ServerError {}

impl From<&DbError> for ServerError {
    fn from(error: &DbError) -> Self {
        let is_fatal = |severity| matches!(severity, Severity::Fatal | Severity::Panic);
        Self {
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            constraint: error.constraint().map(str::to_owned),
            table: error.table().map(str::to_owned),
            column: error.column().map(str::to_owned),
            fatal: error.parsed_severity().is_some_and(is_fatal),
        }
    }
}

/// What a SQLSTATE, or a class of them, means where nothing of the verb matters. The first entry that the code begins with
/// counts.
const KINDS: &[(&str, ErrorKind, &str)] = &[
    ("40001", ErrorKind::Contention, ""),
    ("40P01", ErrorKind::Contention, "deadlock"),
    ("55P03", ErrorKind::Busy, "a lock was not to be had in time"),
    ("57014", ErrorKind::Timeout, "the server cancelled the statement"),
    (
        "53300",
        ErrorKind::Busy,
        "the server has no more connections: lower pool_size, or raise its max_connections",
    ),
    ("53100", ErrorKind::Full, ""),
    ("54", ErrorKind::TooLarge, ""),
    ("42P01", ErrorKind::Schema, "a table is missing: run migrate()"),
    ("42703", ErrorKind::Schema, "a column is missing: run migrate()"),
    ("42704", ErrorKind::Schema, "a type is missing: run migrate()"),
    ("25006", ErrorKind::ReadOnly, ""),
    ("28", ErrorKind::Denied, ""),
    ("42501", ErrorKind::Denied, "the user lacks a privilege"),
    ("57P", ErrorKind::Unavailable, ""),
    ("08", ErrorKind::Unavailable, ""),
    ("XX001", ErrorKind::Corrupt { entity: DATABASE, field: NOTHING }, "PostgreSQL reports damaged data"),
    ("XX002", ErrorKind::Corrupt { entity: DATABASE, field: NOTHING }, "PostgreSQL reports a damaged index"),
];

const DATABASE: std::borrow::Cow<'static, str> = std::borrow::Cow::Borrowed("database");
const NOTHING: std::borrow::Cow<'static, str> = std::borrow::Cow::Borrowed("");

impl ServerError {
    /// What a message reports.
    ///
    /// # Errors
    /// When it is no report.
    pub(crate) fn read(message: &[u8]) -> io::Result<Self> {
        let Some(Message::ErrorResponse(report)) = Message::parse(&mut BytesMut::from(message))? else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let mut error = Self::default();
        let mut fields = report.fields();
        while let Some(field) = fields.next()? {
            // The message is in the language and the encoding of the server.
            let text = String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => error.code = text,
                b'M' => error.message = text,
                b'n' => error.constraint = Some(text),
                b't' => error.table = Some(text),
                b'c' => error.column = Some(text),
                // What `S` says too, in the language of the server.
                b'V' => error.fatal = matches!(text.as_str(), "FATAL" | "PANIC"),
                _ => {}
            }
        }
        Ok(error)
    }

    /// What the server reported, if that is what the error is.
    pub(crate) fn of(error: &tokio_postgres::Error) -> Option<Self> {
        error.as_db_error().map(Self::from)
    }

    /// The larder error, with this one as its source.
    pub(crate) fn explained(self, verb: Option<&Verb>) -> Error {
        let error = match verb {
            Some(verb) if self.table.as_deref().is_none_or(|table| table == verb.table().name) => {
                self.of_verb(verb).unwrap_or_else(|| self.of_anything())
            }
            _ => self.of_anything(),
        };
        error.with_source(self)
    }

    /// What is told by the verb's table.
    fn of_verb(&self, verb: &Verb) -> Option<Error> {
        let table = verb.table();
        match self.code.as_str() {
            "23505" => Some(Error::conflict(table.entity, self.key(table)?)),
            "23503" => Some(Error::missing_parent(table.entity, self.parent(table)?)),
            "23502" => {
                let column = self.column.as_deref().filter(|column| table.position(column).is_some())?;
                Some(Error::invalid(table.entity, column.to_owned(), "must not be null"))
            }
            "23514" => {
                let column =
                    (0..table.columns.len()).find(|&column| self.violates(&table.check_name(column)))?;
                Some(Error::invalid(table.entity, table.columns[column].name, self.message.clone()))
            }
            "22003" => Some(Error::invalid(table.entity, sums(verb), "out of the range of a 64-bit integer")),
            _ => None,
        }
    }

    fn of_anything(&self) -> Error {
        let table = self.table.clone().unwrap_or_else(|| "database".to_owned());
        let field = self.column.clone().or_else(|| self.constraint.clone()).unwrap_or_default();
        match self.code.as_str() {
            "23505" => return Error::conflict(table, field),
            "23503" => return Error::missing_parent(table, field),
            "23502" => return Error::invalid(table, field, "must not be null"),
            code if code.starts_with("23") || code.starts_with("22") => {
                return Error::invalid(table, field, self.message.clone());
            }
            _ => {}
        }
        let known = KINDS.iter().find(|(code, ..)| self.code.starts_with(code));
        match known {
            Some((_, kind, context)) => Error::new(kind.clone(), *context),
            None => Error::new(ErrorKind::Database, self.to_string()),
        }
    }

    fn key(&self, table: &'static Table) -> Option<String> {
        if self.violates(&table.primary_key_name()) {
            return Some(table.names(table.primary_key));
        }
        let unique = table.uniques.iter().find(|unique| self.violates(&table.unique_name(unique)))?;
        Some(table.names(unique.columns))
    }

    fn parent(&self, table: &'static Table) -> Option<&'static str> {
        let key = table.foreign_keys.iter().find(|key| self.violates(&table.foreign_key_name(key)))?;
        Some((key.parent)().entity)
    }

    fn violates(&self, name: &str) -> bool {
        let cut = name.floor_char_boundary(MAX_NAME_BYTES);
        self.constraint.as_deref() == Some(&name[..cut])
    }
}

/// The columns that a verb adds to.
fn sums(verb: &Verb) -> String {
    let set = match verb {
        Verb::Update(update) => &update.set,
        Verb::Upsert(upsert) => &upsert.set,
        Verb::Claim(claim) => &claim.set,
        Verb::Get(_)
        | Verb::Select(_)
        | Verb::Count(_)
        | Verb::Aggregate(_)
        | Verb::Insert(_)
        | Verb::Delete(_) => return String::new(),
    };
    let columns =
        set.iter().filter(|(_, assign)| matches!(assign, Assign::Add(_))).map(|(column, _)| *column);
    verb.table().names(&columns.collect::<Vec<_>>())
}
