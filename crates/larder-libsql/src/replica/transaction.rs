//! A transaction on the primary, whose commit is a write that the replica has to get.

use std::sync::Arc;

use async_trait::async_trait;
use larder_core::{Outcome, Result, Sql, SqlOutcome, Transaction, Verb};

use super::{shared::Handle, store::written};

#[derive(Debug)]
pub(super) struct ReplicaTransaction {
    pub(super) primary: Box<dyn Transaction>,
    pub(super) handle: Arc<Handle>,
}

#[async_trait]
impl Transaction for ReplicaTransaction {
    async fn execute(&mut self, verb: Verb) -> Result<Outcome> {
        self.primary.execute(verb).await
    }

    async fn sql(&mut self, sql: Sql) -> Result<SqlOutcome> {
        self.primary.sql(sql).await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        let Self { primary, handle } = *self;
        written(&handle.replica()?.follower, primary.commit()).await
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.primary.rollback().await
    }
}
