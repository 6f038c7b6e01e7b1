//! A stream that stays open between requests: for what has to be decided here.

use std::future::Future;

use larder_core::{Error, ErrorKind, Outcome, Result, Unit};
use larder_sql::{Rendered, Statements};
use libsql_hrana::proto::{
    CloseStreamReq, DescribeResult, DescribeStreamReq, ExecuteStreamReq, SequenceStreamReq, StmtResult,
    StreamRequest, StreamResponse,
};
use tokio::{sync::Mutex, time::Instant};

use super::{
    error::Lost,
    pipeline::{Server, batch, nothing, response, unexpected},
    plan::{Verdict, plan},
    script::{Answers, Script},
    wire::{bare, outcome, statement},
};
use crate::{
    execute::execute_unit,
    statement::{Failure, Run},
};

/// An open stream. Its requests are answered by `deadline`, which who uses it sets before each call.
pub(crate) struct Stream<'a> {
    server: &'a Server,
    state: Mutex<State>,
}

struct State {
    baton: Option<String>,
    deadline: Instant,
    /// After a request that was lost nobody knows the next baton: the server ends the stream by itself.
    lost: Option<Lost>,
}

impl<'a> Stream<'a> {
    /// A stream, which is opened by the first request.
    pub(crate) fn new(server: &'a Server, deadline: Instant) -> Self {
        let state = State { baton: None, deadline, lost: None };
        Self { server, state: Mutex::new(state) }
    }

    /// From here on, answers have to come by then.
    pub(crate) async fn until(&self, deadline: Instant) {
        self.state.lock().await.deadline = deadline;
    }

    async fn send(&self, request: StreamRequest) -> Result<StreamResponse, Failure> {
        self.send_first(vec![request]).await
    }

    /// Sends requests together, of which the answer to the first matters.
    async fn send_first(&self, requests: Vec<StreamRequest>) -> Result<StreamResponse, Failure> {
        let state = &mut *self.state.lock().await;
        if let Some(lost) = &state.lost {
            return Err(Failure::Other(lost.error.clone()));
        }
        // Should this future be dropped, nobody knows the next baton.
        let unknown = Lost::unknown(Error::new(ErrorKind::Unavailable, "a call on the stream was given up"));
        state.lost = Some(unknown);
        let sent = self.server.pipeline(state.baton.take(), requests, state.deadline).await;
        let (baton, results) = sent.map_err(|lost| {
            state.lost = Some(lost.clone());
            Failure::Other(lost.error)
        })?;
        (state.baton, state.lost) = (baton, None);
        results.into_iter().next().map_or_else(|| Err(Failure::Other(nothing())), response)
    }

    /// Executes a statement of larder's own.
    pub(crate) async fn control(&self, text: &str) -> Result<()> {
        self.execute(bare(text, false)).await.map(|_| ()).map_err(Error::from)
    }

    /// Executes a statement.
    pub(crate) async fn execute(&self, stmt: libsql_hrana::proto::Stmt) -> Result<StmtResult, Failure> {
        match self.send(StreamRequest::Execute(ExecuteStreamReq { stmt })).await? {
            StreamResponse::Execute(answer) => Ok(answer.result),
            other => Err(unexpected(&other)),
        }
    }

    /// What a statement takes and answers.
    pub(crate) async fn describe(&self, sql: &str) -> Result<DescribeResult, Failure> {
        let request = DescribeStreamReq { sql: Some(sql.to_owned()), sql_id: None, replication_index: None };
        match self.send(StreamRequest::Describe(request)).await? {
            StreamResponse::Describe(answer) => Ok(answer.result),
            other => Err(unexpected(&other)),
        }
    }

    /// Executes a script of any number of statements.
    pub(crate) async fn sequence(&self, sql: String) -> Result<(), Failure> {
        let request = SequenceStreamReq { sql: Some(sql), sql_id: None, replication_index: None };
        match self.send(StreamRequest::Sequence(request)).await? {
            StreamResponse::Sequence(_) => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Executes a unit in the transaction that is open: in one request when it can be sent whole and goes well, else statement
    /// by statement. When it fails, nothing of it is written.
    pub(crate) async fn unit(&self, unit: &Unit) -> Result<Vec<Outcome>> {
        let mut script = Script::inside();
        if let Some(plan) = script.apart(|script| plan(&self.server.statements, unit, script)) {
            let mut answers = match self.send(batch(script.into_steps())).await? {
                StreamResponse::Batch(answer) => Answers::new(answer.result),
                other => return Err(unexpected(&other).into()),
            };
            match plan.verdict(unit, &mut answers) {
                Verdict::Done(outcomes) => return Ok(outcomes),
                Verdict::Failed(error) => return Err(error),
                Verdict::NotRun => return Err(ended_by_server()),
                Verdict::Unexplained => {}
            }
        }
        self.control("SAVEPOINT caller").await?;
        let executed = execute_unit(self, unit).await;
        if executed.is_err() {
            self.control("ROLLBACK TO caller").await?;
        }
        self.control("RELEASE caller").await?;
        executed
    }

    /// Runs `work` in a write transaction, which is committed when it succeeds. What is lost before the commit is sent is not
    /// written.
    pub(crate) async fn transaction<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T, Lost> {
        self.control("BEGIN IMMEDIATE").await.map_err(Lost::refused)?;
        match work.await {
            Ok(answer) => self.commit().await.map(|()| answer),
            // With the stream it is rolled back.
            Err(error) => Err(Lost::refused(error)),
        }
    }

    /// Commits, and closes the stream. When the answer is lost, nobody knows.
    pub(crate) async fn commit(&self) -> Result<(), Lost> {
        let commit = StreamRequest::Execute(ExecuteStreamReq { stmt: bare("COMMIT", false) });
        let close = StreamRequest::Close(CloseStreamReq {});
        let committed = self.send_first(vec![commit, close]).await.map_err(Error::from);
        let lost = self.state.lock().await.lost.clone();
        committed.map(drop).map_err(|error| lost.unwrap_or_else(|| Lost::refused(error)))
    }

    /// Closes the stream, which rolls back what is open. One that was lost ends by itself.
    pub(crate) async fn close(&self) {
        let is_open = self.state.lock().await.baton.is_some();
        if is_open && let Err(error) = self.send(StreamRequest::Close(CloseStreamReq {})).await {
            tracing::debug!(?error, "a stream could not be closed: the server ends it");
        }
    }
}

/// The error of what was to run in a transaction that is not open any more.
pub(crate) fn ended_by_server() -> Error {
    let context = "the server ended the transaction; nothing of it was written";
    Error::new(ErrorKind::TransactionAborted, context)
}

impl Run for Stream<'_> {
    fn statements(&self) -> &Statements {
        &self.server.statements
    }

    async fn run(&self, rendered: impl Into<Rendered> + Send) -> Result<Outcome, Failure> {
        let rendered = rendered.into();
        let result = self.execute(statement(&rendered)).await?;
        outcome(&rendered.returns, result)
    }
}
