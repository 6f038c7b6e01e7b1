//! What a store's handle and its threads have in common, and how the threads begin and end.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{Builder, JoinHandle},
};

use larder_core::{Error, ErrorKind, Result};
use tokio::sync::{oneshot, watch};

use crate::{
    call::Job,
    config::LibsqlConfig,
    open::{open_in_place, open_reader, open_writer},
    pool::Pool,
    queue::Queue,
    reader,
    writer::{Message, Writer},
};

pub(crate) struct Shared {
    pub(crate) config: LibsqlConfig,
    /// What the writer serves.
    pub(crate) writes: Queue<Message>,
    /// What callers read with in place; empty for a database in memory.
    pub(crate) in_place: Pool,
    /// What the readers serve.
    pub(crate) reads: Queue<Box<dyn Job>>,
    transaction_is_open: AtomicBool,
    ended: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn new(config: LibsqlConfig) -> Self {
        Self {
            writes: Queue::new(config.queue),
            reads: Queue::new(config.queue),
            in_place: Pool::default(),
            config,
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

    /// Takes no more calls in. The threads end when those that were taken in are answered.
    pub(crate) fn close(&self) {
        // First, because the writer closes its own connection last.
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
        self.0.reads.abandon();
        self.0.ended.send_replace(true);
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| Error::new(ErrorKind::Unavailable, "no thread could be started").with_source(error))
}

/// Opens the writer's connection, then the readers' on their threads, each with one for callers in place.
fn open(shared: &Arc<Shared>) -> Result<Writer> {
    let database = open_writer(&shared.config)?;
    let mut writer =
        Writer { database, shared: Arc::clone(shared), readers: Vec::new(), last_group: Cell::new(0) };
    let (report, reports) = mpsc::channel();
    for _ in 0..shared.config.reader_threads() {
        let (shared, report) = (Arc::clone(shared), report.clone());
        let open = move || {
            shared.in_place.add(open_in_place(&shared.config)?);
            open_reader(&shared.config).map(|database| (database, shared))
        };
        writer.readers.push(spawn("larder-reader", move || match open() {
            Ok((database, shared)) => {
                let _ = report.send(Ok(()));
                drop(report);
                reader::serve(&database, &shared);
            }
            Err(error) => drop(report.send(Err(error))),
        })?);
    }
    drop(report);
    // Ends when each reader has reported.
    reports.iter().collect::<Result<()>>()?;
    Ok(writer)
}
