//! The schema that the migrations make: the same on every database, and the one that the entities' metadata asks for.

use std::sync::Arc;

use larder::{Capability, Migrations, Table, model};
use larder_conformance::{Backend, Failure, Schema};
use larder_migrate::LEDGER;
use larder_sql::{LogicalSchema, introspect};
use larder_tests::backends;

/// The schema of a fresh database of this backend; `None` when its schema is not made by SQL.
async fn migrated(backend: &Arc<dyn Backend>, schema: &Schema) -> Result<Option<LogicalSchema>, Failure> {
    let database = backend.create(schema).await?;
    let store = database.store();
    if !store.supports(Capability::Sql) {
        return Ok(None);
    }
    let once = introspect(&*store, &[LEDGER.name]).await?;
    schema.apply(&store).await?;
    let twice = introspect(&*store, &[LEDGER.name]).await?;
    assert_eq!(once, twice, "migrating again must change nothing");
    store.close().await?;
    Ok(Some(once))
}

async fn agree(tables: Vec<&'static Table>, migrations: Vec<Migrations>) -> Result<(), Failure> {
    let wanted = LogicalSchema::of(&tables);
    let schema = Schema { tables, migrations };
    let mut compared = 0;
    for backend in backends() {
        if let Some(found) = migrated(&backend, &schema).await? {
            for (wanted, found) in wanted.tables.iter().zip(&found.tables) {
                assert_eq!(found, wanted, "{} on {}", wanted.name, backend.name());
            }
            assert_eq!(found, wanted, "{}", backend.name());
            compared += 1;
        }
    }
    assert_eq!(compared, 5, "libSQL in a file and in memory, and PostgreSQL in three ways");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn larders_migrations_make_what_the_entities_say() -> Result<(), Failure> {
    agree(model::TABLES.to_vec(), vec![model::migrations()]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn entities_of_ones_own_are_made_as_they_say() -> Result<(), Failure> {
    let suite = Schema::of_the_suite();
    agree(suite.tables, suite.migrations).await
}
