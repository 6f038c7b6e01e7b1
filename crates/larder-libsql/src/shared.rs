//! What a store's handle and its threads have in common, and how the threads begin and end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{Builder, JoinHandle},
};

use larder_core::{Error, ErrorKind, Result, lane::LaneMeter};
use tokio::sync::{oneshot, watch};

use crate::{
    call::Job,
    checkpoint::Checkpoints,
    config::LibsqlConfig,
    database::Database,
    open::{open_checkpointer, open_in_place, open_reader, open_writer},
    pool::Pool,
    queue::Queue,
    reader,
    writer::{Message, Writer},
};

pub(crate) struct Shared {
    pub(crate) config: LibsqlConfig,
    /// What the writer serves.
    pub(crate) writes: Queue<Message>,
    /// Counts what is committed together.
    pub(crate) groups: LaneMeter,
    /// What callers read with in place; empty for a database in memory.
    pub(crate) in_place: Pool,
    /// What the readers serve.
    pub(crate) reads: Queue<Box<dyn Job>>,
    pub(crate) checkpoints: Checkpoints,
    transaction_is_open: AtomicBool,
    ended: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn new(config: LibsqlConfig) -> Self {
        Self {
            writes: Queue::new(config.queue),
            groups: LaneMeter::new("writes"),
            reads: Queue::new(config.queue),
            in_place: Pool::new(config.reader_threads()),
            config,
            checkpoints: Checkpoints::default(),
            transaction_is_open: AtomicBool::new(false),
            ended: watch::Sender::new(false),
        }
    }

    /// Starts the threads. The answer arrives when the database is open, or cannot be opened.
    pub(crate) fn start(self: &Arc<Self>) -> Result<oneshot::Receiver<Result<()>>> {
        let (ready, opened) = oneshot::channel();
        let shared = Arc::clone(self);
        spawn("larder-writer", move || {
            let _end = End(&shared);
            match open(&shared) {
                Ok(writer) => {
                    // When the caller has gone it has closed the queues, and there is nothing to serve.
                    let _ = ready.send(Ok(()));
                    writer.serve();
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        })?;
        Ok(opened)
    }

    /// Starts the threads that read a file which somebody else has opened and writes to.
    #[cfg(feature = "replica")]
    pub(crate) fn start_readers(self: &Arc<Self>) -> Result<oneshot::Receiver<Result<()>>> {
        let (ready, opened) = oneshot::channel();
        let shared = Arc::clone(self);
        spawn("larder-readers", move || {
            let _end = End(&shared);
            match open_readers(&shared) {
                Ok(readers) => {
                    let _ = ready.send(Ok(()));
                    for reader in readers {
                        // An error is a panic, which has been reported.
                        let _ = reader.join();
                    }
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        })?;
        Ok(opened)
    }

    /// Takes no more calls in. The threads end when those that were taken in are answered.
    pub(crate) fn close(&self) {
        self.in_place.close();
        self.writes.close();
        self.reads.close();
    }

    /// Waits until all connections are closed.
    pub(crate) async fn ended(&self) {
        // The sender lives in `self`, so that waiting cannot fail.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// What those who wait for the writer wait for.
    pub(crate) fn why_writes_wait(&self) -> &'static str {
        if self.transaction_is_open.load(Ordering::Relaxed) {
            "a transaction is open, and writes of others wait until it has ended"
        } else {
            "the writer did not get to it in time"
        }
    }

    /// Says, as long as the guard lives, that a transaction is open.
    pub(crate) fn open_transaction(&self) -> OpenTransaction<'_> {
        self.transaction_is_open.store(true, Ordering::Relaxed);
        OpenTransaction(self)
    }
}

pub(crate) struct OpenTransaction<'a>(&'a Shared);

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        self.0.transaction_is_open.store(false, Ordering::Relaxed);
    }
}

/// The end of the writer, by whatever way: nobody is left waiting.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.writes.abandon();
        self.0.in_place.close();
        self.0.in_place.empty();
        self.0.reads.abandon();
        self.0.checkpoints.close();
        self.0.ended.send_replace(true);
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| Error::new(ErrorKind::Unavailable, "no thread could be started").with_source(error))
}

/// Opens the writer's connection, then those of the other threads on these.
fn open(shared: &Arc<Shared>) -> Result<Writer> {
    let database = open_writer(&shared.config)?;
    let mut writer = Writer::new(database, shared);
    let (report, reports) = mpsc::channel();
    serve_readers(shared, &report, &mut writer.threads)?;
    if shared.config.is_file() {
        let open = |shared: &Shared| open_checkpointer(&shared.config);
        let make = |database: &Database, shared: &Shared| shared.checkpoints.serve(database);
        writer.threads.push(serve("larder-checkpoint", shared, &report, open, make)?);
    }
    drop(report);
    // Ends when each has reported.
    reports.iter().collect::<Result<()>>()?;
    Ok(writer)
}

/// Opens the connections that read.
#[cfg(feature = "replica")]
fn open_readers(shared: &Arc<Shared>) -> Result<Vec<JoinHandle<()>>> {
    let (report, reports) = mpsc::channel();
    let mut threads = Vec::new();
    serve_readers(shared, &report, &mut threads)?;
    drop(report);
    reports.iter().collect::<Result<()>>()?;
    Ok(threads)
}

/// Starts the readers, each of which opens its connection and one for callers in place.
fn serve_readers(
    shared: &Arc<Shared>,
    report: &mpsc::Sender<Result<()>>,
    threads: &mut Vec<JoinHandle<()>>,
) -> Result<()> {
    for place in 0..shared.config.reader_threads() {
        let open = move |shared: &Shared| {
            shared.in_place.put(place, open_in_place(&shared.config)?);
            open_reader(&shared.config)
        };
        threads.push(serve("larder-reader", shared, report, open, reader::serve)?);
    }
    Ok(())
}

/// Starts a thread that opens its connection, reports whether it could, and serves.
fn serve(
    name: &str,
    shared: &Arc<Shared>,
    report: &mpsc::Sender<Result<()>>,
    open: impl FnOnce(&Shared) -> Result<Database> + Send + 'static,
    serve: impl FnOnce(&Database, &Shared) + Send + 'static,
) -> Result<JoinHandle<()>> {
    let (shared, report) = (Arc::clone(shared), report.clone());
    spawn(name, move || match open(&shared) {
        Ok(database) => {
            // An error means that another could not be opened, and that the queues are closed.
            let _ = report.send(Ok(()));
            drop(report);
            serve(&database, &shared);
        }
        Err(error) => drop(report.send(Err(error))),
    })
}
