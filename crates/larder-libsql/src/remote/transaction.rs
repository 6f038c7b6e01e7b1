//! A transaction that its caller serves, request by request.

use std::time::Duration;

use async_trait::async_trait;
use larder_core::{Begin, Error, ErrorKind, Outcome, Result, Sql, SqlOutcome, Transaction, Unit, Verb};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    error::Lost,
    sql,
    stream::{Stream, ended_by_server},
};
use crate::{database::BROKEN_REFERENCE, store::UNLIMITED};

/// How long a transaction may be open. The server lets another writer take its lock after 5 s, and what came after that would
/// be lost: this is sooner, and says so.
const LIMIT: Duration = Duration::from_secs(4);

/// A request for a transaction.
pub(crate) struct Opening {
    pub(crate) kind: Begin,
    /// Of each call.
    pub(crate) timeout: Duration,
}

/// The caller's side.
pub(crate) type Opened = mpsc::UnboundedSender<Call>;

/// What an open transaction is asked to do.
pub(crate) enum Call {
    Verb(Verb, oneshot::Sender<Result<Outcome>>),
    Sql(Sql, oneshot::Sender<Result<SqlOutcome>>),
    End(bool, oneshot::Sender<Result<()>>),
}

/// The server's side: calls until the caller has gone, or the time is over.
pub(crate) struct Serving {
    calls: mpsc::UnboundedReceiver<Call>,
    kind: Begin,
    timeout: Duration,
    over: Instant,
}

/// Opens a transaction on the stream.
pub(crate) async fn open(stream: &Stream<'_>, opening: Opening) -> Result<(Opened, Serving)> {
    let Opening { kind, timeout } = opening;
    if kind == Begin::Schema {
        // What alters a table by building it anew would delete its children. The commit checks them instead.
        stream.control("PRAGMA foreign_keys = OFF").await?;
    }
    stream.control("BEGIN IMMEDIATE").await?;
    let (opened, calls) = mpsc::unbounded_channel();
    let (limit, timeout) = match kind {
        Begin::Serializable => (LIMIT, timeout),
        Begin::Schema => (UNLIMITED, UNLIMITED),
    };
    Ok((opened, Serving { calls, kind, timeout, over: Instant::now() + limit }))
}

/// Serves the transaction until it is ended, by whatever way. What is not committed is rolled back when the stream is closed.
pub(crate) async fn serve(stream: &Stream<'_>, mut serving: Serving) {
    loop {
        let call = tokio::select! {
            biased;
            call = serving.calls.recv() => call,
            () = sleep_until(serving.over) => return serving.refuse(),
        };
        stream.until(Instant::now() + serving.timeout).await;
        match call {
            None => return,
            Some(Call::Verb(verb, reply)) => {
                let ran = stream.unit(&Unit::default().then(verb)).await;
                drop(
                    reply.send(
                        ran.and_then(|outcomes| outcomes.into_iter().next().ok_or_else(ended_by_server)),
                    ),
                );
            }
            Some(Call::Sql(sql, reply)) => drop(reply.send(sql::execute(stream, &sql).await)),
            Some(Call::End(commit, reply)) => {
                drop(reply.send(end(stream, serving.kind, commit).await));
                return;
            }
        }
    }
}

async fn end(stream: &Stream<'_>, kind: Begin, commit: bool) -> Result<()> {
    if !commit {
        stream.close().await;
        return Ok(());
    }
    if kind == Begin::Schema {
        check_foreign_keys(stream).await?;
    }
    stream.commit().await.map_err(Lost::of_write)
}

/// Looks for a row whose parent does not exist.
async fn check_foreign_keys(stream: &Stream<'_>) -> Result<()> {
    let text = larder_core::ColumnType::Text;
    let found = sql::execute(stream, &Sql::portable(BROKEN_REFERENCE).returning(vec![text, text])).await?;
    let Some(row) = found.rows.into_iter().next() else { return Ok(()) };
    let name = |place: usize| match row.get(place) {
        Some(larder_core::Value::Text(name)) => name.clone(),
        _ => "row".to_owned(),
    };
    Err(Error::missing_parent(name(0), name(1)))
}

impl Serving {
    /// The time is over: the lock is given back, and calls that still come are told why they fail.
    fn refuse(mut self) {
        tokio::spawn(async move {
            while let Some(call) = self.calls.recv().await {
                match call {
                    Call::Verb(_, reply) => drop(reply.send(Err(too_long()))),
                    Call::Sql(_, reply) => drop(reply.send(Err(too_long()))),
                    Call::End(true, reply) => drop(reply.send(Err(too_long()))),
                    Call::End(false, reply) => drop(reply.send(Ok(()))),
                }
            }
        });
    }
}

fn too_long() -> Error {
    let context = "it was open for more than 4 s, after which a libSQL server gives its lock to others: do what takes \
                   long before or after it, or send a unit";
    Error::new(ErrorKind::TransactionAborted, context)
}

/// The handle. Its calls are served where the lane is, so that one that is given up breaks nothing; dropping it rolls back.
#[derive(Debug)]
pub(crate) struct RemoteTransaction(Opened);

impl RemoteTransaction {
    pub(crate) fn new(opened: Opened) -> Self {
        Self(opened)
    }

    async fn call<T>(&self, call: impl FnOnce(oneshot::Sender<Result<T>>) -> Call) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.0.send(call(reply)).map_err(|_| ended_by_server())?;
        answer.await.unwrap_or_else(|_| Err(ended_by_server()))
    }
}

#[async_trait]
impl Transaction for RemoteTransaction {
    async fn execute(&mut self, verb: Verb) -> Result<Outcome> {
        larder_sql::check(&verb)?;
        self.call(|reply| Call::Verb(verb, reply)).await
    }

    async fn sql(&mut self, sql: Sql) -> Result<SqlOutcome> {
        self.call(|reply| Call::Sql(sql, reply)).await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.call(|reply| Call::End(true, reply)).await
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.call(|reply| Call::End(false, reply)).await
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Verb(..) => "Verb",
            Self::Sql(..) => "Sql",
            Self::End(..) => "End",
        })
    }
}
