//! One sync: from the primary's log into the file.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use larder_core::{Error, ErrorKind, Result};
use libsql_replication::{
    frame::FrameNo,
    injector::{Error as InjectorError, SqliteInjector},
    meta::Error as MetaError,
    replicator::{Error as LogError, Replicator},
};
use tokio::{sync::watch, task::spawn_blocking};

use super::{log::Log, place::Place, primary::Primary};
use crate::{
    config::{LibsqlConfig, Location},
    database::Database,
    error::from_sqlite,
    open::open_checkpointer,
    remote::RemoteConfig,
};

/// After so many pages the write-ahead log is moved into the file.
const MANY: u64 = 1_000;

/// After so many that readers kept from being moved, the readers are waited for.
const TOO_MANY: u64 = 4 * MANY;

/// How long they are waited for; syncs wait too.
const READERS: Duration = Duration::from_secs(1);

/// What syncs a file: libSQL's replicator, which injects the pages of the log's transactions, between larder's own client of
/// the log and larder's own care of the file.
pub(super) struct Syncer {
    source: Source,
    /// None after a sync that left it in a state that nobody knows.
    replicator: Option<Replicator<Log, SqliteInjector>>,
    checkpoints: Checkpoints,
}

/// What is to be followed, and where.
struct Source {
    place: Arc<Place>,
    remote: RemoteConfig,
    ended: watch::Receiver<bool>,
}

impl Syncer {
    /// Opens the file and does not ask the primary. Syncs answer `Closed` as soon as `ended` says so.
    pub(super) async fn open(
        place: Arc<Place>,
        remote: RemoteConfig,
        ended: watch::Receiver<bool>,
    ) -> Result<Self> {
        let checkpoints = Checkpoints::of(place.path());
        let source = Source { place, remote, ended };
        let replicator = Some(source.open().await?);
        Ok(Self { source, replicator, checkpoints })
    }

    /// The last frame of the primary's log that the file holds.
    pub(super) fn reached(&mut self) -> Option<FrameNo> {
        self.replicator.as_mut().and_then(|replicator| replicator.client_mut().committed())
    }

    /// Brings the file to where the primary is now. Answers the last frame that it holds; none, when the primary's database
    /// is empty.
    pub(super) async fn sync(&mut self) -> Result<Option<FrameNo>> {
        let replicator = match self.replicator.take() {
            Some(replicator) => replicator,
            None => self.source.open().await?,
        };
        // On a task of its own: a panic in libSQL's injector ends the sync and nothing else.
        let (mut replicator, synced) = tokio::spawn(sync(replicator))
            .await
            .map_err(|error| Error::new(ErrorKind::Database, "the sync broke off").with_source(error))?;
        let reached = replicator.client_mut().committed();
        match synced {
            Ok(()) => self.replicator = Some(replicator),
            Err(error) => {
                if is_of_primary(&error) {
                    self.replicator = Some(replicator);
                }
                return Err(explain(error));
            }
        }
        self.checkpoints.reached(reached).await;
        Ok(reached)
    }
}

impl Source {
    async fn open(&self) -> Result<Replicator<Log, SqliteInjector>> {
        let path = self.place.path().to_owned();
        let primary = Primary::new(&self.remote, self.ended.clone())?;
        let log = Log::open(primary, Arc::clone(&self.place)).await.map_err(|error| explain(error.into()))?;
        Replicator::new_sqlite(log, path, 0, None).await.map_err(explain)
    }
}

/// Never stopped half-way: the replicator would go on behind what it had received and not yet injected.
async fn sync(
    mut replicator: Replicator<Log, SqliteInjector>,
) -> (Replicator<Log, SqliteInjector>, Result<(), LogError>) {
    replicator.force_handshake();
    loop {
        let before = replicator.client_mut().received();
        if let Err(error) = replicator.replicate().await {
            return (replicator, Err(error));
        }
        let log = replicator.client_mut();
        if log.committed() >= log.end() {
            return (replicator, Ok(()));
        }
        if log.received() == before {
            let context = "the primary does not hand out all of its log";
            let error = Error::new(ErrorKind::Database, context);
            return (replicator, Err(LogError::Fatal(Box::new(error))));
        }
    }
}

/// Did the primary, or the way to it, fail, and not the file? Then what was received is put back, and all is well.
fn is_of_primary(error: &LogError) -> bool {
    matches!(error, LogError::Fatal(error) if error.is::<Error>())
}

fn explain(error: LogError) -> Error {
    match error {
        LogError::Fatal(error) => match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(error) => broken("the sync failed", Cause(error)),
        },
        LogError::Injector(InjectorError::Sqlite(error)) => from_sqlite(error),
        LogError::Injector(InjectorError::FatalInjectError(error)) => {
            match error.downcast::<rusqlite::Error>() {
                Ok(error) => from_sqlite(*error),
                Err(error) => broken("the primary's pages could not be written", Cause(error)),
            }
        }
        LogError::Meta(MetaError::Io(error) | MetaError::FailedToCommit(error)) => {
            broken("the place in the log could not be written beside the replica", error)
        }
        error => broken("the sync failed", error),
    }
}

fn broken(what: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Database, what).with_source(error)
}

/// An error of a type that only libSQL knows.
#[derive(Debug)]
struct Cause(Box<dyn std::error::Error + Send + Sync>);

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Cause {}

/// libSQL's injector leaves every transaction by the way of an error, and so never gets to make a checkpoint.
struct Checkpoints {
    config: LibsqlConfig,
    database: Option<Database>,
    /// The last frame when the log was moved last.
    moved: FrameNo,
}

impl Checkpoints {
    fn of(path: &Path) -> Self {
        let mut config = LibsqlConfig::new(Location::File(PathBuf::from(path)));
        config.busy_timeout = READERS;
        Self { config, database: None, moved: 0 }
    }

    /// Makes one when the file has come far enough since the last; the next one makes up for what fails.
    async fn reached(&mut self, frame: Option<FrameNo>) {
        let Some(frame) = frame else { return };
        // In a new log the numbers are small again.
        if (self.moved..self.moved + MANY).contains(&frame) {
            return;
        }
        let is_overdue = !(self.moved..self.moved + TOO_MANY).contains(&frame);
        let (config, database) = (self.config.clone(), self.database.take());
        let made = spawn_blocking(move || {
            let database = database.map_or_else(|| open_checkpointer(&config), Ok)?;
            let is_all = database.checkpoint() || is_overdue && database.empty_log().is_ok();
            Ok::<_, Error>((is_all, database))
        });
        match made.await {
            Ok(Ok((is_all, database))) => {
                self.database = Some(database);
                // What a reader still has open is moved after the next sync.
                self.moved = if is_all { frame } else { self.moved };
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the replica's write-ahead log could not be moved into it")
            }
            Err(error) => tracing::warn!(%error, "the checkpoint of the replica broke off"),
        }
    }
}
