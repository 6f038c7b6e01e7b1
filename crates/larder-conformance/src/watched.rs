//! A store that writes down what it is asked, and may refuse to write.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use larder::{
    Begin, Capability, Error, ErrorKind, Get, Health, Outcome, Result, Sql, SqlOutcome, Store, Transaction,
    Unit, Value, Verb,
};

/// A sound store that is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    sound: Arc<dyn Store>,
    read_only: bool,
    asked: Mutex<Vec<String>>,
}

impl Watched {
    pub(crate) fn new(sound: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { sound, read_only: false, asked: Mutex::default() })
    }

    /// One that answers `ReadOnly` to whatever would change something.
    pub(crate) fn read_only(sound: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { sound, read_only: true, asked: Mutex::default() })
    }

    /// What was asked since the last time, in a form that is the same for what costs the same work.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, verb: &Verb) -> Result<()> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(work_of(verb));
        if self.read_only && !verb.is_read() {
            return Err(Error::new(ErrorKind::ReadOnly, "the store takes no writes"));
        }
        Ok(())
    }
}

/// The verb without its values: of those it is looked up by, how long they are.
fn work_of(verb: &Verb) -> String {
    match verb {
        Verb::Get(Get { table, key, .. }) => {
            let lengths: Vec<_> = key.values.iter().map(Value::size).collect();
            format!("Get from {} by {:?} of {lengths:?} bytes", table.name, key.columns)
        }
        other => {
            let debug = format!("{other:?}");
            format!("{} of {}", debug.split('(').next().unwrap_or_default(), other.table().name)
        }
    }
}

#[async_trait]
impl Store for Watched {
    fn supports(&self, capability: Capability) -> bool {
        self.sound.supports(capability)
    }

    async fn execute(&self, verb: Verb) -> Result<Outcome> {
        self.note(&verb)?;
        self.sound.execute(verb).await
    }

    async fn run(&self, unit: Unit) -> Result<Vec<Outcome>> {
        unit.steps.iter().try_for_each(|step| self.note(&step.verb))?;
        self.sound.run(unit).await
    }

    async fn begin(&self, begin: Begin) -> Result<Box<dyn Transaction>> {
        self.sound.begin(begin).await
    }

    async fn sql(&self, sql: Sql) -> Result<SqlOutcome> {
        self.sound.sql(sql).await
    }

    async fn health(&self) -> Result<Health> {
        self.sound.health().await
    }

    async fn close(&self) -> Result<()> {
        self.sound.close().await
    }
}
