//! What every scope and repository stands on: where verbs go, what time it is, where ids come from.

use std::{future::Future, sync::Arc};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    Begin, Clock, Error, Ids, Outcome, Result, RetryPolicy, Sql, SqlOutcome, Stamp, Store, Unit, Verb,
    transaction::SharedTransaction, value::whole_microseconds,
};

/// A store (or an open transaction on it), a clock, a source of ids and a retry policy. Cheap to clone.
///
/// Verbs given to a context are not scoped beyond what they say themselves: it is the ground that scopes, repositories and
/// one's own operations are built on, not what an application hands around.
#[derive(Debug, Clone)]
pub struct Context {
    executor: Executor,
    shared: Arc<Shared>,
}

#[derive(Debug, Clone)]
enum Executor {
    Store(Arc<dyn Store>),
    Transaction(SharedTransaction),
}

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    retry: RetryPolicy,
}

impl Context {
    /// A context on a store.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>, retry: RetryPolicy) -> Self {
        Self { executor: Executor::Store(store), shared: Arc::new(Shared { clock, ids, retry }) }
    }

    /// The same on another store: same clock, ids and retry policy.
    #[must_use]
    pub fn on(&self, store: Arc<dyn Store>) -> Self {
        Self { executor: Executor::Store(store), shared: Arc::clone(&self.shared) }
    }

    /// The present instant, in whole microseconds.
    pub fn now(&self) -> DateTime<Utc> {
        whole_microseconds(self.shared.clock.now())
    }

    /// What larder writes into a new row: a new id, the owner, the present instant.
    pub fn stamp(&self, owner: Option<Uuid>) -> Stamp {
        let now = self.now();
        Stamp { id: self.shared.ids.next(now), owner, now }
    }

    /// Random bytes that nobody can guess, from the source of ids.
    ///
    /// # Errors
    /// As [`Ids::random`].
    pub fn random<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.shared.ids.random(&mut bytes)?;
        Ok(bytes)
    }

    /// Executes a verb: by itself, or in the transaction.
    ///
    /// # Errors
    /// As [`Store::execute`]; in a transaction also `TransactionAborted` and `Closed`.
    pub async fn execute(&self, verb: Verb) -> Result<Outcome> {
        match &self.executor {
            Executor::Store(store) => store.execute(verb).await,
            Executor::Transaction(transaction) => transaction.execute(verb).await,
        }
    }

    /// Executes a unit: by itself, trying again when it lost against concurrent writers, or in the transaction, which a
    /// failing unit aborts.
    ///
    /// # Errors
    /// As [`Store::run`]; in a transaction also `TransactionAborted` and `Closed`.
    pub async fn run(&self, unit: Unit) -> Result<Vec<Outcome>> {
        match &self.executor {
            Executor::Store(store) => {
                let mut retries = self.shared.retry.begin();
                loop {
                    match store.run(unit.clone()).await {
                        Ok(outcomes) => return Ok(outcomes),
                        Err(error) => retries.wait_after(error).await?,
                    }
                }
            }
            Executor::Transaction(transaction) => transaction.run(unit).await,
        }
    }

    /// Executes SQL: by itself, or in the transaction.
    ///
    /// # Errors
    /// As [`Store::sql`].
    pub async fn sql(&self, sql: Sql) -> Result<SqlOutcome> {
        match &self.executor {
            Executor::Store(store) => store.sql(sql).await,
            Executor::Transaction(transaction) => transaction.sql(sql).await,
        }
    }

    /// Runs `work` in a serializable transaction and commits when it returns `Ok`, else rolls back.
    ///
    /// When the transaction lost against a concurrent one (at whatever call, also when `work` swallowed that error), all of
    /// it is undone and `work` is called again, as the [`RetryPolicy`] says: it must not do what cannot be repeated.
    ///
    /// # Errors
    /// The error of `work`; `Contention` or `Busy` when the policy is spent; `TransactionAborted` when `work` returned `Ok`
    /// though a call in it had failed with other than `Conflict`; `Unsupported` inside another transaction.
    pub async fn transaction<T, F, Fut>(&self, mut work: F) -> Result<T>
    where
        F: FnMut(Self) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let Executor::Store(store) = &self.executor else {
            return Err(Error::unsupported("a transaction inside a transaction: use the outer one"));
        };
        let mut retries = self.shared.retry.begin();
        loop {
            let error = match self.attempt(store, &mut work).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            retries.wait_after(error).await?;
        }
    }

    async fn attempt<T, F, Fut>(&self, store: &Arc<dyn Store>, work: &mut F) -> Result<T>
    where
        F: FnMut(Self) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let transaction = SharedTransaction::new(store.begin(Begin::Serializable).await?);
        let executor = Executor::Transaction(transaction.clone());
        match work(Self { executor, shared: Arc::clone(&self.shared) }).await {
            Ok(value) => transaction.commit().await.map(|()| value),
            Err(error) => match transaction.roll_back().await {
                Some(cause) if cause.is_retryable() => Err(cause),
                _ => Err(error),
            },
        }
    }
}
