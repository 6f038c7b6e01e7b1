//! The one error type of larder.

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc};

/// The result of every fallible call in larder.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in the same words on every database.
///
/// `entity` is the entity's Rust name (`Job`), `field` the column's name (`definition`); a rule over several columns
/// names them all, in the key's order (`job_id, key`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A row that was to be changed or deleted does not exist, or belongs to somebody else: the two are never told
    /// apart. Looking something up is not an error: it answers `None`.
    NotFound {
        /// The entity that was looked for.
        entity: Cow<'static, str>,
    },
    /// A unique key already holds this value.
    Conflict {
        /// The entity whose key it is.
        entity: Cow<'static, str>,
        /// The column, or the columns of the key separated by `, `.
        field: Cow<'static, str>,
    },
    /// The row refers to a parent that does not exist (or belongs to another user).
    MissingParent {
        /// The entity that was to be written.
        entity: Cow<'static, str>,
        /// The entity that it refers to.
        parent: Cow<'static, str>,
    },
    /// A value breaks a rule; nothing was written.
    Invalid {
        /// The entity, or what was being parsed (`Cursor`, `ListJobs`).
        entity: Cow<'static, str>,
        /// The field whose value it is.
        field: Cow<'static, str>,
        /// The rule, in words that a person can act on.
        reason: String,
    },
    /// The lease that the caller holds was taken over or ended; nothing was changed.
    LeaseLost {
        /// The entity that was leased.
        entity: Cow<'static, str>,
    },
    /// The transaction lost against a concurrent one (serialization failure, deadlock). Nothing was written; the same
    /// transaction may be tried again.
    Contention,
    /// The database was busy for as long as the caller was ready to wait (write lock, full pool, full queue). Nothing
    /// was written; the call may be tried again.
    Busy,
    /// The call did not end by its deadline. A write may or may not have been applied.
    Timeout,
    /// The database cannot be reached, or went away before the call was sent. Nothing was written.
    Unavailable,
    /// The server answers reads and takes no writes: it probably has to be restarted. The write may or may not have been
    /// applied.
    Stalled,
    /// The connection was lost after a write was sent and before it was answered: it may or may not have been applied.
    Ambiguous,
    /// The transaction was aborted by an earlier error; nothing of it will be written.
    TransactionAborted,
    /// The store, or the transaction, was used after it was closed.
    Closed,
    /// A row, or the database file, does not hold what it should.
    Corrupt {
        /// The entity that was read, or `database`.
        entity: Cow<'static, str>,
        /// The column, or empty when the whole is meant.
        field: Cow<'static, str>,
    },
    /// This store cannot do what was asked.
    Unsupported,
    /// The configuration (URL, option) is wrong.
    Config,
    /// User name, password or token were refused.
    Denied,
    /// The database's schema is not what this program needs: never migrated, or migrations pending.
    Schema,
    /// A migration was refused or failed.
    Migration,
    /// The database, or its file system, is read-only.
    ReadOnly,
    /// The disk is full; nothing of the write was kept.
    Full,
    /// A value or a request is larger than the database takes; nothing was written.
    TooLarge,
    /// The caller's own error, returned by the closure of a transaction to end it: look at the source.
    Application,
    /// An error of the database that larder has no kind for: look at the source.
    Database,
}

/// The error of every larder call: a [kind](ErrorKind) to match on, a sentence that says what to do, and the cause.
///
/// Cheap to clone, so that one failed batch can answer each of its callers.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    context: Cow<'static, str>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with a sentence of context (may be empty). Secrets must not be put in.
    pub fn new(kind: ErrorKind, context: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { kind, context: context.into(), source: None }))
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// Replaces the context sentence.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<Cow<'static, str>>) -> Self {
        self.0.context = context.into();
        self
    }

    /// [`ErrorKind::NotFound`].
    pub fn not_found(entity: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::NotFound { entity: entity.into() }, "")
    }

    /// [`ErrorKind::Conflict`].
    pub fn conflict(entity: impl Into<Cow<'static, str>>, field: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Conflict { entity: entity.into(), field: field.into() }, "")
    }

    /// [`ErrorKind::MissingParent`].
    pub fn missing_parent(
        entity: impl Into<Cow<'static, str>>,
        parent: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(ErrorKind::MissingParent { entity: entity.into(), parent: parent.into() }, "")
    }

    /// [`ErrorKind::Invalid`].
    pub fn invalid(
        entity: impl Into<Cow<'static, str>>,
        field: impl Into<Cow<'static, str>>,
        reason: impl Into<String>,
    ) -> Self {
        let kind = ErrorKind::Invalid { entity: entity.into(), field: field.into(), reason: reason.into() };
        Self::new(kind, "")
    }

    /// [`ErrorKind::LeaseLost`].
    pub fn lease_lost(entity: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::LeaseLost { entity: entity.into() }, "")
    }

    /// [`ErrorKind::Corrupt`].
    pub fn corrupt(entity: impl Into<Cow<'static, str>>, field: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Corrupt { entity: entity.into(), field: field.into() }, "")
    }

    /// [`ErrorKind::Unsupported`], saying what.
    pub fn unsupported(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unsupported, what)
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The sentence of context; may be empty.
    pub fn context(&self) -> &str {
        &self.0.context
    }

    /// True when nothing was written and the same call, or the same transaction, may succeed when tried again:
    /// [`ErrorKind::Contention`] and [`ErrorKind::Busy`].
    pub fn is_retryable(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Contention | ErrorKind::Busy)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { entity } => write!(f, "{entity} not found"),
            Self::Conflict { entity, field } => write!(f, "{entity} with this {field} already exists"),
            Self::MissingParent { entity, parent } => {
                write!(f, "the {parent} that this {entity} belongs to does not exist")
            }
            Self::Invalid { entity, field, reason } => write!(f, "{entity}.{field}: {reason}"),
            Self::LeaseLost { entity } => {
                write!(f, "the lease on this {entity} was lost; nothing was changed")
            }
            Self::Contention => {
                f.write_str("the transaction lost against a concurrent one and may be tried again")
            }
            Self::Busy => f.write_str("the database is busy; the call may be tried again"),
            Self::Timeout => f.write_str("the call did not end by its deadline"),
            Self::Unavailable => f.write_str("the database cannot be reached"),
            Self::Stalled => f.write_str("the server answers reads and takes no writes"),
            Self::Ambiguous => f.write_str(
                "the connection was lost after the write was sent: it may or may not have been applied",
            ),
            Self::TransactionAborted => f.write_str("the transaction was aborted by an earlier error"),
            Self::Closed => f.write_str("used after it was closed"),
            Self::Corrupt { entity, field } if field.is_empty() => write!(f, "{entity} is corrupt"),
            Self::Corrupt { entity, field } => {
                write!(f, "{entity}.{field} holds a value that cannot be read")
            }
            Self::Unsupported => f.write_str("not supported by this store"),
            Self::Config => f.write_str("wrong configuration"),
            Self::Denied => f.write_str("the database refused user name, password or token"),
            Self::Schema => f.write_str("the database's schema is not what this program needs"),
            Self::Migration => f.write_str("migration refused or failed"),
            Self::ReadOnly => f.write_str("the database is read-only"),
            Self::Full => f.write_str("the disk is full"),
            Self::TooLarge => f.write_str("too large for the database"),
            Self::Application => f.write_str("the application ended the transaction"),
            Self::Database => f.write_str("database error"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.kind)?;
        if !self.0.context.is_empty() {
            write!(f, ": {}", self.0.context)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &self.0.kind);
        if !self.0.context.is_empty() {
            debug.field("context", &self.0.context);
        }
        if let Some(source) = &self.0.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}
