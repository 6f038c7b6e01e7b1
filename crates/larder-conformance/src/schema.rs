//! The tables that the suite works on.

use std::sync::Arc;

use larder::{Dialect, Entity, ManualClock, Migrations, Store, Table, create_schema, model};

use crate::{
    Failure,
    entities::{Folder, Note, Specimen, Tally},
    world::beginning,
};

/// Tables, and the migrations that make them.
#[derive(Debug)]
pub struct Schema {
    /// The tables, parents before children.
    pub tables: Vec<&'static Table>,
    /// What makes them, for the databases that are migrated: larder's own migrations, then those of the suite.
    pub migrations: Vec<Migrations>,
}

impl Schema {
    /// Larder's model, and the suite's own [entities](crate::entities).
    pub fn of_the_suite() -> Self {
        let own = [Specimen::TABLE, Note::TABLE, Folder::TABLE, Tally::TABLE];
        let script = |dialect| create_schema(dialect, &own);
        let scripts = (script(Dialect::Postgres), script(Dialect::Sqlite));
        let of_own = Migrations::new("conformance").then("entities", scripts.0, scripts.1);
        Self {
            tables: model::TABLES.iter().chain(&own).copied().collect(),
            migrations: vec![model::migrations(), of_own],
        }
    }

    /// Makes the tables, in a database that has SQL; in any other they are there.
    ///
    /// # Errors
    /// As [`larder_migrate::migrate`].
    pub async fn apply(&self, store: &Arc<dyn Store>) -> Result<(), Failure> {
        larder_migrate::migrate(store, &ManualClock::new(beginning()), &self.migrations).await?;
        Ok(())
    }
}
