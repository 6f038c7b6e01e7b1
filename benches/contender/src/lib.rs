//! What all contenders share: the workloads, the loop of the callers, and the protocol that the driver speaks with them.
//!
//! A contender is a program that implements [`Contender`] for one library and calls [`serve`]. It is told on its standard
//! input what to do, one JSON value a line, and answers each on its standard output; see [`protocol`].

mod calls;
pub mod protocol;
mod serve;
pub mod text;
pub mod token;
mod workload;

use std::{error::Error, future::Future, time::Duration};

pub use serve::serve;
use uuid::Uuid;
pub use workload::{Kind, Workload};

/// Whatever went wrong; the driver is told its text.
pub type Failure = Box<dyn Error + Send + Sync>;

/// How many items a page has.
pub const PAGE: usize = 10;
/// How many rows one bulk insert writes.
pub const BULK: usize = 10_000;
/// How long a claim holds a job: longer than any round takes.
pub const LEASE: Duration = Duration::from_secs(600);
/// The name under which a job is claimed.
pub const WORKER: &str = "bench";

/// A job and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The owner.
    pub user: Uuid,
    /// The job.
    pub job: Uuid,
}

/// A job that was read: decoded into the contender's own struct, of which these fields prove it.
#[derive(Debug)]
pub struct Seen {
    /// The job.
    pub id: Uuid,
    /// Its text.
    pub definition: String,
}

/// An API key that a token was right for: decoded into the contender's own struct, of which these fields prove it.
#[derive(Debug)]
pub struct Authenticated {
    /// Whose it is.
    pub user: Uuid,
    /// The public half of the token.
    pub key: String,
}

/// A page that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// How many jobs are on it.
    pub jobs: usize,
    /// How many messages they have together, when they were asked for.
    pub messages: usize,
    /// Is there a page after it?
    pub has_next: bool,
}

/// A job that was claimed.
#[derive(Debug, Clone, Copy)]
pub struct Claimed {
    /// The job.
    pub job: Uuid,
    /// The fencing number.
    pub token: i64,
}

/// What a contender is opened with.
#[derive(Debug, Clone)]
pub struct Opening {
    /// `postgres://…`, or the path of an SQLite file.
    pub url: String,
    /// The size of its pool.
    pub connections: u32,
    /// On SQLite: `full` or `normal`.
    pub synchronous: String,
    /// Which of the contender's ways, for one that has several.
    pub variant: String,
}

/// A library, as its documentation would have it used. Each method is one call of one caller; each reads or writes every
/// column of the rows that it names.
pub trait Contender: Sized + Send + Sync + 'static {
    /// Runs each caller on a thread of its own, for a library whose calls block.
    const BLOCKING: bool = false;

    /// Opens the database.
    fn open(opening: Opening) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// The version of the engine that is part of the program; `None` when there is none.
    fn engine(&self) -> impl Future<Output = Result<Option<String>, Failure>> + Send {
        async { Ok(None) }
    }

    /// Why it cannot run a workload; `None` when it can.
    fn unsupported(&self, workload: Workload) -> Option<&'static str> {
        workload.not_for_libraries()
    }

    /// Looks up one job of its owner.
    fn get(&self, key: Key) -> impl Future<Output = Result<Seen, Failure>> + Send;
    /// Looks up the API key whose token this is, and hashes and compares the secret; `None` when it is not right, or the key
    /// was revoked or has expired.
    fn authenticate(
        &self,
        _token: &str,
    ) -> impl Future<Output = Result<Option<Authenticated>, Failure>> + Send {
        async { Err("only larder and the drivers have it".into()) }
    }
    /// Inserts one job with an id of its own making.
    fn insert(&self, user: Uuid, definition: String) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Changes the text of one job of its owner and returns the row.
    fn update(&self, key: Key, definition: String) -> impl Future<Output = Result<Seen, Failure>> + Send;
    /// Deletes one job of its owner, which must be there.
    fn delete(&self, key: Key) -> impl Future<Output = Result<(), Failure>> + Send;
    /// The newest [`PAGE`] jobs of a user, those that contain `search` if it is given, and whether there are more.
    fn page(&self, user: Uuid, search: Option<&str>) -> impl Future<Output = Result<Listed, Failure>> + Send;
    /// The newest [`PAGE`] jobs of a user with the messages of each, in order, and their owner.
    fn relations(&self, user: Uuid) -> impl Future<Output = Result<Listed, Failure>> + Send;
    /// Reads a job, changes its text and adds a message to it, in one transaction.
    fn transaction(&self, key: Key, definition: String) -> impl Future<Output = Result<(), Failure>> + Send;
    /// The same in the library's form of a transaction that is sent whole; for a library without one, the transaction.
    fn unit(&self, key: Key, definition: String) -> impl Future<Output = Result<(), Failure>> + Send {
        self.transaction(key, definition)
    }
    /// Claims up to `limit` due jobs of all users for [`LEASE`], the longest due first; no concurrent claim gets them too.
    fn claim(&self, limit: u32) -> impl Future<Output = Result<Vec<Claimed>, Failure>> + Send;
    /// Ends the run of a claimed job if its lease was not taken over: books tokens, releases it, returns the row.
    fn complete(&self, claimed: Claimed) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Inserts these jobs of one user, all or none.
    fn bulk(&self, user: Uuid, definitions: Vec<String>) -> impl Future<Output = Result<(), Failure>> + Send;

    /// The page of [`PAGE`] jobs after the one that [`Contender::find_deep_page`] found.
    fn deep_page(&self) -> impl Future<Output = Result<Listed, Failure>> + Send {
        async { Err("only larder has it".into()) }
    }
    /// Goes deep into the jobs of a user who has many; not measured.
    fn find_deep_page(&mut self, _user: Uuid) -> impl Future<Output = Result<(), Failure>> + Send {
        async { Ok(()) }
    }
    /// Opens the database once more, asks whether migrations are pending, and closes it.
    fn reopen(&self) -> impl Future<Output = Result<(), Failure>> + Send {
        async { Err("only larder has it".into()) }
    }
}
