//! The handle.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use larder_core::{
    Begin, Capability, Error, ErrorKind, Freshness, Health, Outcome, Result, Sql, SqlOutcome, Store,
    Transaction, Unit, Verb,
};

use super::{
    config::ReplicaConfig,
    follower::Follower,
    shared::{Handle, Replica},
    transaction::ReplicaTransaction,
};
use crate::{call::Work, remote::RemoteStore, words::may_read};

/// [`Store`] on a libSQL server's database that is read from a replica: a file beside the program.
///
/// # Behaviour
/// - Verbs, units and SQL that only read are answered by the file, as [`LibsqlStore`](crate::LibsqlStore) reads one: they see
///   the primary's database as it was after one of its transactions, and never an older state than before. Everything else
///   is for the primary, as [`RemoteStore`] does it, and what is read within a transaction too.
/// - A write of this process is followed by a sync at once. Until the replica holds it, reads wait, at most as long as the
///   configuration's `wait` says; those of a handle that is [`Freshness::Local`] do not. A write that may have been applied
///   (`Ambiguous`, `Timeout`) is waited for as well. Whether the sync succeeds or not, the write did.
/// - Without a write of this process a sync is made every `sync`: what others write is seen that much later.
/// - While the primary is gone, reads go on and writes are `Unavailable`; only reads that have to see a write which the replica
///   has not got are `Unavailable` too. The replica follows again by itself. When the primary was killed, it fetches the
///   whole database again, and goes on to be read meanwhile.
/// - The file belongs to one process. Handles of this process on one path share the replica: its interval and its readers are
///   those of the first.
/// - Dropping or closing the last handle ends the sync and frees the file.
#[derive(Debug, Clone)]
pub struct ReplicaStore {
    handle: Arc<Handle>,
    primary: RemoteStore,
    config: Arc<ReplicaConfig>,
    freshness: Freshness,
}

impl ReplicaStore {
    /// Opens the replica. When there is one at the path already, the primary is not needed for that; when there is none, it is
    /// made.
    ///
    /// # Errors
    /// - `Config` when the configuration cannot be used, or something else is at the path: a directory, a database that is no
    ///   replica, a replica of another primary. It stays as it is.
    /// - `Busy` when another process has the replica.
    /// - `Unavailable`, `Timeout`, `Denied` when there is no replica yet, and the primary cannot be reached or refuses the
    ///   token.
    /// - `ReadOnly`, `Full`, `Corrupt` when the file cannot be used.
    pub async fn open(config: ReplicaConfig) -> Result<Self> {
        let primary = RemoteStore::new(config.remote.clone())?;
        let handle = Arc::new(Handle::open(&config).await?);
        Ok(Self { handle, primary, config: Arc::new(config), freshness: Freshness::default() })
    }

    /// The configuration that it was opened with.
    pub fn config(&self) -> &ReplicaConfig {
        &self.config
    }

    /// The replica, as fresh as it has to be.
    async fn replica(&self) -> Result<&Replica> {
        let replica = self.handle.replica()?;
        if self.freshness == Freshness::Fresh && replica.follower.is_behind() {
            Box::pin(replica.follower.catch_up(self.config.wait)).await?;
        }
        Ok(replica)
    }

    async fn write<T>(&self, write: impl Future<Output = Result<T>>) -> Result<T> {
        written(&self.handle.replica()?.follower, write).await
    }
}

/// Makes a write, and tells the follower unless nothing was written for certain.
pub(super) async fn written<T>(follower: &Follower, write: impl Future<Output = Result<T>>) -> Result<T> {
    let mut note = Note { follower, is_due: true };
    let answer = write.await;
    note.is_due = answer.as_ref().err().is_none_or(may_be_applied);
    answer
}

fn may_be_applied(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Timeout
            | ErrorKind::Ambiguous
            | ErrorKind::Stalled
            | ErrorKind::Corrupt { .. }
            | ErrorKind::Database
    )
}

/// A write that is under way. Its caller may go away before it is answered.
struct Note<'a> {
    follower: &'a Follower,
    is_due: bool,
}

impl Drop for Note<'_> {
    fn drop(&mut self) {
        if self.is_due {
            self.follower.written();
        }
    }
}

#[async_trait]
impl Store for ReplicaStore {
    fn supports(&self, capability: Capability) -> bool {
        self.primary.supports(capability)
    }

    async fn execute(&self, verb: Verb) -> Result<Outcome> {
        if verb.is_read() {
            return self.replica().await?.file.execute(verb).await;
        }
        self.write(self.primary.execute(verb)).await
    }

    async fn run(&self, unit: Unit) -> Result<Vec<Outcome>> {
        if unit.is_read() {
            return self.replica().await?.file.run(unit).await;
        }
        self.write(self.primary.run(unit)).await
    }

    async fn begin(&self, kind: Begin) -> Result<Box<dyn Transaction>> {
        self.handle.replica()?;
        let primary = self.primary.begin(kind).await?;
        Ok(Box::new(ReplicaTransaction { primary, handle: Arc::clone(&self.handle) }))
    }

    async fn sql(&self, sql: Sql) -> Result<SqlOutcome> {
        if may_read(&sql.sqlite)
            && let Some(outcome) = self.replica().await?.file.read_sql(&sql).await?
        {
            return Ok(outcome);
        }
        self.write(self.primary.sql(sql)).await
    }

    fn reading(&self, freshness: Freshness) -> Option<Arc<dyn Store>> {
        (freshness != self.freshness).then(|| Arc::new(Self { freshness, ..self.clone() }) as Arc<dyn Store>)
    }

    async fn health(&self) -> Result<Health> {
        let replica = self.handle.replica()?;
        let begun = Instant::now();
        let version = replica.file.version().await?;
        let health = Health::new(version, begun.elapsed()).with_replica(replica.follower.report());
        Ok(self.primary.report(health))
    }

    async fn close(&self) -> Result<()> {
        let (written, closed) = tokio::join!(self.primary.close(), self.handle.close());
        written.and(closed)
    }
}
