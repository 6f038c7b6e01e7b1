//! A store that says what it is asked, and fails where a case wants it to.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use larder::{
    Begin, Capability, Freshness, Health, Outcome, Result, Sql, SqlOutcome, Store, Transaction, Unit, Verb,
};

/// Another store, and what is done before each call, with the verbs that it is: one that is executed by itself, or those of a
/// unit. An error keeps the call from being made.
pub(crate) struct Observed<F> {
    store: Arc<dyn Store>,
    before: Arc<F>,
    answers: usize,
}

impl<F: Fn(&[&Verb]) -> Result<()>> Observed<F> {
    pub(crate) fn new(store: Arc<dyn Store>, before: F) -> Self {
        Self { store, before: Arc::new(before), answers: usize::MAX }
    }

    /// It gives at most so many answers to a unit, as no store may.
    pub(crate) fn answering_at_most(self, answers: usize) -> Self {
        Self { answers, ..self }
    }
}

/// What was seen, in its order. Clones are the same notes.
#[derive(Debug)]
pub(crate) struct Seen<T>(Arc<Mutex<Vec<T>>>);

impl<T> Seen<T> {
    pub(crate) fn nothing() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn add(&self, note: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    /// What was seen since the last time.
    pub(crate) fn taken(&self) -> Vec<T> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> Clone for Seen<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F> fmt::Debug for Observed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("store", &self.store).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F: Fn(&[&Verb]) -> Result<()> + Send + Sync + 'static> Store for Observed<F> {
    fn supports(&self, capability: Capability) -> bool {
        self.store.supports(capability)
    }

    async fn execute(&self, verb: Verb) -> Result<Outcome> {
        (self.before)(&[&verb])?;
        self.store.execute(verb).await
    }

    async fn run(&self, unit: Unit) -> Result<Vec<Outcome>> {
        let verbs: Vec<_> = unit.steps.iter().map(|step| &step.verb).collect();
        (self.before)(&verbs)?;
        let mut outcomes = self.store.run(unit).await?;
        outcomes.truncate(self.answers);
        Ok(outcomes)
    }

    async fn begin(&self, begin: Begin) -> Result<Box<dyn Transaction>> {
        self.store.begin(begin).await
    }

    async fn sql(&self, sql: Sql) -> Result<SqlOutcome> {
        self.store.sql(sql).await
    }

    fn reading(&self, freshness: Freshness) -> Option<Arc<dyn Store>> {
        let store = self.store.reading(freshness)?;
        Some(Arc::new(Self { store, before: Arc::clone(&self.before), answers: self.answers }))
    }

    async fn health(&self) -> Result<Health> {
        self.store.health().await
    }

    async fn close(&self) -> Result<()> {
        self.store.close().await
    }
}
