//! The handle.

use std::{
    cell::Cell,
    ffi::CStr,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use larder_core::{
    Begin, Capability, Error, ErrorKind, Freshness, Health, Outcome, Result, SCHEMA_LOCK_WAIT, Sql,
    SqlOutcome, Store, Transaction, Unit, Verb,
};
use rusqlite::ffi;
use tokio::{sync::oneshot, task::coop::consume_budget, time::timeout};

use crate::{
    call::{Caller, Work, closed, job},
    config::LibsqlConfig,
    database::Database,
    error::from_sqlite,
    shared::Shared,
    sql::{MaybeRead, is_script},
    transaction::LibsqlTransaction,
    writer,
};

/// [`Store`] on libSQL: a local file, or memory.
///
/// # Behaviour
/// - SQLite runs on threads of the store's own: one that writes, and for a file some that read. Callers pass messages, with
///   one exception: verbs and units that only read a file first run on the thread that they are polled on. They are stopped
///   there, and begun again on a thread, when they have run for longer than it takes to look up some rows (150 µs), or when
///   they would have to wait for a lock.
/// - Writes that arrive while another is being committed are committed together, such that one that fails fails alone, and
///   nobody is answered before the commit.
/// - The write-ahead log is moved into the file by a thread of its own, each time some thousand rows were written. It grows to
///   some tens of megabytes; when the disk cannot follow, to 128 MiB, and more only while large transactions write more.
/// - A transaction ([`Store::begin`]) has the writer to itself. Other writes wait for its end, and answer `Busy` when their
///   time is over; reads of a file go on and see the state before it, those of a database in memory wait too.
/// - Other processes may use the file. When one holds the write lock, calls wait for it up to `busy_timeout`.
/// - SQL ([`Store::sql`]) runs in a transaction of its own. It cannot begin or end transactions, attach databases or change
///   the connection's settings: that is `Unsupported`.
/// - Dropping the handle ends the threads, when they have finished what they are at; [`Store::close`] also waits for that.
pub struct LibsqlStore {
    shared: Arc<Shared>,
}

impl LibsqlStore {
    /// Opens the database, and creates the file when there is none and the configuration says so. It does not migrate.
    ///
    /// # Errors
    /// - `Config` when the directory does not exist, or the path is a directory.
    /// - `Unavailable` when the file does not exist and must not be created, or cannot be opened.
    /// - `ReadOnly` when file or directory cannot be written to.
    /// - `Corrupt` when the file is no database.
    /// - `Busy` when another process holds it for longer than `busy_timeout`.
    pub async fn open(config: LibsqlConfig) -> Result<Self> {
        // From here on, dropping this future drops the handle and so ends the threads.
        let store = Self { shared: Arc::new(Shared::new(config)) };
        let opened = store.shared.start()?;
        opened.await.unwrap_or_else(|_| Err(closed()))?;
        Ok(store)
    }

    /// Opens a file that another connection of this process writes to, to read it. Whatever else is asked of it is not
    /// answered.
    #[cfg(feature = "replica")]
    pub(crate) async fn open_readers(config: LibsqlConfig) -> Result<Self> {
        let store = Self { shared: Arc::new(Shared::new(config)) };
        let opened = store.shared.start_readers()?;
        opened.await.unwrap_or_else(|_| Err(closed()))?;
        Ok(store)
    }

    /// Executes SQL if it only reads a file; answers `None`, having done nothing, when it does not.
    pub(crate) async fn read_sql(&self, sql: &Sql) -> Result<Option<SqlOutcome>> {
        if !self.shared.config.is_file() || is_script(sql) {
            return Ok(None);
        }
        // Whether it only reads is known when it has been prepared.
        self.read_on_thread(MaybeRead(sql.clone())).await
    }

    /// The configuration that it was opened with.
    pub fn config(&self) -> &LibsqlConfig {
        &self.shared.config
    }

    /// The library's and the database's version, from the database.
    pub(crate) async fn version(&self) -> Result<String> {
        self.read(Version).await
    }

    /// Reads in place if that is possible and short, else on a thread.
    async fn read<W: Work>(&self, work: W) -> Result<W::Answer> {
        if !self.shared.config.is_file() {
            return Box::pin(self.write(work)).await;
        }
        give_way().await;
        match self.shared.in_place.run(&work) {
            Some(answer) => answer,
            // In a box, because what waits for a thread is much larger than what does not.
            None => Box::pin(self.read_on_thread(work)).await,
        }
    }

    async fn read_on_thread<W: Work>(&self, work: W) -> Result<W::Answer> {
        let caller = Caller::new(self.shared.config.timeout);
        let (job, answer) = job(&caller, work);
        caller.send(&self.shared.reads, job).await?;
        caller.answer(answer, || "all readers were busy").await
    }

    async fn write<W: Work>(&self, work: W) -> Result<W::Answer> {
        let caller = Caller::new(self.shared.config.timeout);
        let (job, answer) = job(&caller, work);
        caller.send(&self.shared.writes, writer::Message::Job(job)).await?;
        caller.answer(answer, || self.shared.why_writes_wait()).await
    }
}

/// Lets the other tasks of this thread have their turn when one has read on and on: the runtime's budget is for calls that
/// take less than a look-up, so that it can be asked every other time.
async fn give_way() {
    thread_local! {
        static IS_ASKED: Cell<bool> = const { Cell::new(false) };
    }
    if IS_ASKED.replace(!IS_ASKED.get()) {
        consume_budget().await;
    }
}

impl Drop for LibsqlStore {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl fmt::Debug for LibsqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LibsqlStore").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

/// The deadline of what has none: long enough, and still an instant.
pub(crate) const UNLIMITED: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[async_trait]
impl Store for LibsqlStore {
    fn supports(&self, capability: Capability) -> bool {
        match capability {
            Capability::Sql | Capability::LargeValues => true,
            Capability::Durable | Capability::ReadsDuringTransaction => self.shared.config.is_file(),
            // There is one writer; and what this store does not know it does not claim.
            _ => false,
        }
    }

    async fn execute(&self, verb: Verb) -> Result<Outcome> {
        if verb.is_read() { self.read(verb).await } else { Box::pin(self.write(verb)).await }
    }

    async fn run(&self, unit: Unit) -> Result<Vec<Outcome>> {
        if unit.is_read() { self.read(unit).await } else { Box::pin(self.write(unit)).await }
    }

    async fn begin(&self, kind: Begin) -> Result<Box<dyn Transaction>> {
        // Every write transaction is the only one on the database, which is what `Begin::Schema` asks for.
        let timeout = self.shared.config.timeout;
        let (wait, timeout) = match kind {
            Begin::Serializable => (timeout, timeout),
            Begin::Schema => (timeout.max(SCHEMA_LOCK_WAIT), UNLIMITED),
        };
        let caller = Caller::new(wait);
        let (reply, answer) = oneshot::channel();
        let begin = writer::Begin { kind, ticket: caller.ticket(), reply };
        caller.send(&self.shared.writes, writer::Message::Begin(begin)).await?;
        let steps = caller.answer(answer, || self.shared.why_writes_wait()).await?;
        Ok(Box::new(LibsqlTransaction::new(steps, timeout)))
    }

    async fn sql(&self, sql: Sql) -> Result<SqlOutcome> {
        match self.read_sql(&sql).await? {
            Some(outcome) => Ok(outcome),
            None => self.write(sql).await,
        }
    }

    fn reading(&self, _: Freshness) -> Option<Arc<dyn Store>> {
        None
    }

    async fn health(&self) -> Result<Health> {
        let begun = Instant::now();
        let version = self.version().await?;
        let groups = self.shared.groups.report(self.shared.writes.len());
        Ok(Health::new(version, begun.elapsed()).with_lanes([groups]))
    }

    async fn close(&self) -> Result<()> {
        self.shared.close();
        timeout(self.shared.config.timeout, self.shared.ended()).await.map_err(|_| {
            let context = "what was accepted is not finished; the connections close when it is";
            Error::new(ErrorKind::Timeout, context)
        })
    }
}

/// Asks the library and the database.
struct Version;

impl Work for Version {
    type Answer = String;

    fn run(&self, database: &Database) -> Result<String> {
        let sqlite: String = database
            .connection()
            .query_row("SELECT sqlite_version() FROM (SELECT count(*) FROM sqlite_schema)", [], |row| {
                row.get(0)
            })
            .map_err(from_sqlite)?;
        let libsql = CStr::from_bytes_with_nul(ffi::LIBSQL_VERSION).unwrap_or_default().to_string_lossy();
        Ok(format!("libSQL {libsql} (SQLite {sqlite})"))
    }

    fn is_read(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn dropping_the_handle_ends_the_threads() {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("file:{}?readers=3", directory.path().join("test.db").display());
        for url in ["memory:", &url] {
            let store = LibsqlStore::open(LibsqlConfig::parse(url).expect("config")).await.expect("open");
            let shared = Arc::clone(&store.shared);
            drop(store);
            shared.ended().await;
        }
    }
}
