//! What the handles of a process on one replica have in common.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use larder_core::{Error, ErrorKind, Result, Store};
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use super::{
    config::ReplicaConfig,
    follower::{Ended, Follower},
    place::Place,
    sync::Syncer,
};
use crate::{call::closed, config::config, store::LibsqlStore};

/// A replica: the task that keeps it up to its primary, and the readers of its file.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) follower: Follower,
    pub(super) file: LibsqlStore,
    primary: String,
    /// How many handles are open; when there are none any more, there will be none.
    handles: Mutex<usize>,
}

/// A handle's hold on the replica. All clones of the handle share it.
#[derive(Debug)]
pub(super) struct Handle {
    replica: Arc<Replica>,
    closed: AtomicBool,
}

impl Handle {
    /// Opens the replica, or joins those who have it open.
    pub(super) async fn open(replica: &ReplicaConfig) -> Result<Self> {
        let deadline = Instant::now() + replica.remote.timeout;
        let late = |_| Error::new(ErrorKind::Timeout, "the replica was not opened in time");
        timeout_at(deadline, open(replica)).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
    }

    /// # Errors
    /// `Closed` after it was closed.
    pub(super) fn replica(&self) -> Result<&Replica> {
        match self.closed.load(Ordering::Acquire) {
            false => Ok(&self.replica),
            true => Err(closed()),
        }
    }

    /// Gives the replica up. The last one closes it, and waits for that.
    pub(super) async fn close(&self) -> Result<()> {
        if !self.give_up() {
            return Ok(());
        }
        let file = self.replica.file.close().await;
        self.replica.follower.ended().wait().await;
        file
    }

    /// True when it was the last.
    fn give_up(&self) -> bool {
        if self.closed.swap(true, Ordering::AcqRel) {
            return false;
        }
        let mut handles = self.replica.handles();
        *handles -= 1;
        if *handles > 0 {
            return false;
        }
        self.replica.follower.end();
        true
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl Replica {
    fn handles(&self) -> MutexGuard<'_, usize> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more handle, unless it is being closed.
    fn join(self: &Arc<Self>) -> Option<Handle> {
        let mut handles = self.handles();
        if *handles == 0 {
            return None;
        }
        *handles += 1;
        Some(Handle { replica: Arc::clone(self), closed: AtomicBool::new(false) })
    }

    async fn start(replica: &ReplicaConfig, path: PathBuf) -> Result<Arc<Self>> {
        let (remote, primary) = (replica.remote.clone(), replica.remote.endpoint.authority());
        let name = primary.clone();
        let place = spawn_blocking(move || Place::take(&path, &name)).await.map_err(|_| closed())??;
        let open = async |ended: watch::Receiver<bool>| Syncer::open(Arc::new(place), remote, ended).await;
        let follower = Follower::start(replica.sync, open).await?;
        let file = LibsqlStore::open_readers(replica.file()).await?;
        Ok(Arc::new(Self { follower, file, primary, handles: Mutex::new(1) }))
    }
}

/// The replicas of this process, each at its path.
static REPLICAS: Mutex<BTreeMap<PathBuf, Arc<Slot>>> = Mutex::new(BTreeMap::new());

/// Locked while the replica is being opened, so that all who want it at once get one.
type Slot = tokio::sync::Mutex<Option<Opened>>;

/// A replica that was opened, and that may be closed, or about to be, by now.
#[derive(Debug)]
struct Opened {
    replica: Weak<Replica>,
    ended: Ended,
}

async fn open(replica: &ReplicaConfig) -> Result<Handle> {
    let path = std::path::absolute(&replica.path).unwrap_or_else(|_| replica.path.clone());
    let slot = slot(&path);
    let mut slot = slot.lock().await;
    if let Some(before) = &mut *slot {
        match before.replica.upgrade().and_then(|replica| replica.join()) {
            Some(handle) if handle.replica.primary == replica.remote.endpoint.authority() => {
                return Ok(handle);
            }
            Some(handle) => return Err(another(&path, &handle.replica.primary)),
            None => before.ended.wait().await,
        }
    }
    let opened = Replica::start(replica, path).await?;
    *slot = Some(Opened { replica: Arc::downgrade(&opened), ended: opened.follower.ended() });
    Ok(Handle { replica: opened, closed: AtomicBool::new(false) })
}

fn slot(path: &Path) -> Arc<Slot> {
    let mut replicas = REPLICAS.lock().unwrap_or_else(PoisonError::into_inner);
    // Those that nobody has open, or opens, are forgotten.
    let is_open = |slot: &Slot| {
        slot.try_lock().map_or(true, |slot| slot.as_ref().is_some_and(|it| !it.ended.is_given()))
    };
    replicas.retain(|_, slot| Arc::strong_count(slot) > 1 || is_open(slot));
    Arc::clone(replicas.entry(path.to_owned()).or_default())
}

fn another(path: &Path, primary: &str) -> Error {
    config(format!("replica {}: this is replica of {primary}: choose another path", path.display()))
}
