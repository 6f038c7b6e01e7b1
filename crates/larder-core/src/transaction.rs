//! A transaction as the scopes of a closure share it.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::{Error, ErrorKind, Outcome, Result, Sql, SqlOutcome, Transaction, Unit, Verb};

/// An open transaction that several scopes and repositories hold at once. It enforces what every backend promises: after
/// an error other than `Conflict` nothing more happens in it, and it cannot be committed.
#[derive(Debug, Clone)]
pub(crate) struct SharedTransaction(Arc<Mutex<State>>);

#[derive(Debug)]
enum State {
    Open(Box<dyn Transaction>),
    /// The error that aborted it; `None` when a call was dropped half-way.
    Aborted(Option<Error>),
    Ended,
}

impl SharedTransaction {
    pub(crate) fn new(transaction: Box<dyn Transaction>) -> Self {
        Self(Arc::new(Mutex::new(State::Open(transaction))))
    }

    pub(crate) async fn execute(&self, verb: Verb) -> Result<Outcome> {
        let mut state = self.0.lock().await;
        let mut transaction = state.take()?;
        let result = transaction.execute(verb).await;
        state.put_back(transaction, result).await
    }

    pub(crate) async fn sql(&self, sql: Sql) -> Result<SqlOutcome> {
        let mut state = self.0.lock().await;
        let mut transaction = state.take()?;
        let result = transaction.sql(sql).await;
        state.put_back(transaction, result).await
    }

    /// The steps of a unit, one after the other. What an unmet requirement leaves half done must not be committed, so it
    /// aborts the transaction whatever its kind.
    pub(crate) async fn run(&self, unit: Unit) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(unit.steps.len());
        for step in unit.steps {
            let checked = match self.execute(step.verb).await {
                Ok(outcome) => step.require.check(&outcome).map(|()| outcome),
                Err(error) => Err(error),
            };
            match checked {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => {
                    self.abort(error.clone()).await;
                    return Err(error);
                }
            }
        }
        Ok(outcomes)
    }

    async fn abort(&self, error: Error) {
        let mut state = self.0.lock().await;
        if let Ok(transaction) = state.take() {
            // The error that is the cause is the one to report.
            let _ = transaction.rollback().await;
            *state = State::Aborted(Some(error));
        }
    }

    /// Commits. When an earlier error aborted the transaction, that is the error if it is retryable, else
    /// `TransactionAborted` with it as the source.
    pub(crate) async fn commit(&self) -> Result<()> {
        let state = std::mem::replace(&mut *self.0.lock().await, State::Ended);
        match state {
            State::Open(transaction) => transaction.commit().await,
            State::Aborted(Some(cause)) if cause.is_retryable() => Err(cause),
            State::Aborted(cause) => Err(aborted(cause.as_ref())),
            State::Ended => Err(Error::new(ErrorKind::Closed, "the transaction has ended")),
        }
    }

    /// Rolls back, and tells the error that had aborted it before, if one had.
    pub(crate) async fn roll_back(&self) -> Option<Error> {
        let state = std::mem::replace(&mut *self.0.lock().await, State::Ended);
        match state {
            State::Open(transaction) => {
                let _ = transaction.rollback().await;
                None
            }
            State::Aborted(cause) => cause,
            State::Ended => None,
        }
    }
}

impl State {
    /// Takes the transaction out for the time of a call: if the call's future is dropped, so is the transaction.
    fn take(&mut self) -> Result<Box<dyn Transaction>> {
        match std::mem::replace(self, Self::Aborted(None)) {
            Self::Open(transaction) => Ok(transaction),
            Self::Aborted(cause) => {
                let error = aborted(cause.as_ref());
                *self = Self::Aborted(cause);
                Err(error)
            }
            Self::Ended => {
                *self = Self::Ended;
                Err(Error::new(ErrorKind::Closed, "the transaction has ended"))
            }
        }
    }

    /// Puts the transaction back after a call, unless the call's error aborted it.
    async fn put_back<T>(&mut self, transaction: Box<dyn Transaction>, result: Result<T>) -> Result<T> {
        match &result {
            Err(error) if !matches!(error.kind(), ErrorKind::Conflict { .. }) => {
                *self = Self::Aborted(Some(error.clone()));
                // The call's error is the one to report.
                let _ = transaction.rollback().await;
            }
            _ => *self = Self::Open(transaction),
        }
        result
    }
}

fn aborted(cause: Option<&Error>) -> Error {
    let error = Error::new(ErrorKind::TransactionAborted, "nothing of it will be written; start again");
    match cause {
        Some(cause) => error.with_source(cause.clone()),
        None => error.with_context("a call in it was dropped before it ended; start again"),
    }
}
