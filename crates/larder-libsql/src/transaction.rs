//! The handle of an open transaction.

use std::time::Duration;

use async_trait::async_trait;
use larder_core::{Error, ErrorKind, Outcome, Result, Sql, SqlOutcome, Transaction, Verb};
use tokio::sync::{mpsc, oneshot};

use crate::{
    call::{Caller, Work, job},
    writer::Step,
};

/// Its calls go to the writer through a channel of their own. Dropping it closes the channel, and the writer rolls back.
#[derive(Debug)]
pub(crate) struct LibsqlTransaction {
    steps: mpsc::UnboundedSender<Step>,
    timeout: Duration,
}

impl LibsqlTransaction {
    pub(crate) fn new(steps: mpsc::UnboundedSender<Step>, timeout: Duration) -> Self {
        Self { steps, timeout }
    }

    async fn step<W: Work>(&self, work: W) -> Result<W::Answer> {
        let caller = Caller::new(self.timeout);
        let (job, answer) = job(&caller, work);
        self.send(Step::Job(job))?;
        caller.answer(answer, waits).await
    }

    async fn end(self: Box<Self>, commit: bool) -> Result<()> {
        let caller = Caller::new(self.timeout);
        let (reply, answer) = oneshot::channel();
        self.send(Step::End { ticket: caller.ticket(), commit, reply })?;
        caller.answer(answer, waits).await
    }

    fn send(&self, step: Step) -> Result<()> {
        self.steps
            .send(step)
            .map_err(|_| Error::new(ErrorKind::Unavailable, "the thread of the database has ended"))
    }
}

fn waits() -> &'static str {
    "the call before it in this transaction has not ended"
}

#[async_trait]
impl Transaction for LibsqlTransaction {
    async fn execute(&mut self, verb: Verb) -> Result<Outcome> {
        self.step(verb).await
    }

    async fn sql(&mut self, sql: Sql) -> Result<SqlOutcome> {
        self.step(sql).await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.end(true).await
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.end(false).await
    }
}
