//! The schema that the migrations make: the same on every database, and the one that the entities' metadata asks for; in it,
//! what has a user goes with the user.

use std::{collections::BTreeSet, sync::Arc};

use larder::{Capability, ColumnType, Entity as _, Migrations, Row, Sql, Store, Table, Value, model};
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
    assert_eq!(
        compared, 7,
        "libSQL in a file, in memory, on a server and by a replica, and PostgreSQL in three ways"
    );
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

/// What a database's own catalogue says of users' rows, whatever the metadata knows.
#[derive(Debug)]
struct Catalogue {
    /// The tables that have a column `user_id`.
    with_a_user: BTreeSet<String>,
    /// Of those, the ones whose every row goes with its user: by a reference to the user, or to a row that goes along itself.
    going_along: BTreeSet<String>,
}

impl Catalogue {
    async fn read(store: &dyn Store) -> Result<Self, Failure> {
        let with_a_user = Sql::new(
            "SELECT table_name::text, column_name::text FROM information_schema.columns
            WHERE column_name = 'user_id' AND table_schema = current_schema()",
            "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
            WHERE m.type = 'table' AND c.name = 'user_id'",
        );
        // A reference that may be NULL takes nothing along.
        let references = Sql::new(
            "SELECT k.conrelid::regclass::text, k.confrelid::regclass::text FROM pg_constraint k
            JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
            WHERE k.contype = 'f' AND k.confdeltype = 'c'
            GROUP BY k.oid HAVING bool_and(a.attnotnull) AND bool_or(a.attname = 'user_id')",
            "SELECT m.name, k.\"table\" FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) k
            JOIN pragma_table_info(m.name) c ON c.name = k.\"from\"
            WHERE m.type = 'table' AND k.on_delete = 'CASCADE'
            GROUP BY m.name, k.id HAVING min(c.\"notnull\") AND max(c.name = 'user_id')",
        );
        let with_a_user = pairs(store, with_a_user).await?.into_iter().map(|(table, _)| table).collect();
        let references = pairs(store, references).await?;
        let mut going_along = BTreeSet::new();
        // A chain is at most as long as there are references.
        for _ in &references {
            let goes = |parent: &String| parent == model::User::TABLE.name || going_along.contains(parent);
            let more: Vec<_> = references.iter().filter(|(_, parent)| goes(parent)).collect();
            going_along.extend(more.into_iter().map(|(table, _)| table.clone()));
        }
        Ok(Self { with_a_user, going_along })
    }
}

/// The rows of a query of two texts.
async fn pairs(store: &dyn Store, query: Sql) -> Result<Vec<(String, String)>, Failure> {
    let rows = store.sql(query.returning([ColumnType::Text, ColumnType::Text])).await?.rows;
    let pair = |row: Row| match <[Value; 2]>::try_from(row.into_values()) {
        Ok([Value::Text(one), Value::Text(other)]) => Ok((one, other)),
        other => Err(format!("no two texts: {other:?}").into()),
    };
    rows.into_iter().map(pair).collect()
}

/// 31 of `CASES.md`: each table that has a user in the database itself is one that the suite's cases on owners run over, and
/// goes with the user. A table that is made by SQL and does not is found.
#[tokio::test(flavor = "multi_thread")]
async fn every_table_with_a_user_has_an_owner_and_goes_along_with_the_user() -> Result<(), Failure> {
    const REFERENCE: &str = "REFERENCES users (id)";
    const CASCADE: &str = "REFERENCES users (id) ON DELETE CASCADE";
    let schema = Schema::of_the_suite();
    let has_owner = |table: &&&Table| table.owner.is_some() && table.owner == table.position("user_id");
    let owned: BTreeSet<_> =
        schema.tables.iter().filter(has_owner).map(|table| table.name.to_owned()).collect();
    for backend in backends() {
        let database = backend.create(&schema).await?;
        let store = database.store();
        if !store.supports(Capability::Sql) {
            continue;
        }
        let found = Catalogue::read(&*store).await?;
        assert_eq!(found.with_a_user, owned, "{}", backend.name());
        assert_eq!(found.going_along, owned, "{}", backend.name());

        let more = [
            ("no_reference", "NOT NULL".to_owned()),
            ("no_cascade", format!("NOT NULL {REFERENCE}")),
            ("maybe_null", CASCADE.to_owned()),
            ("as_it_should_be", format!("NOT NULL {CASCADE}")),
        ];
        for (name, user) in &more {
            let create = |uuid| format!("CREATE TABLE {name} (user_id {uuid} {user})");
            store.sql(Sql::new(create("uuid"), create("BLOB"))).await?;
        }
        let found = Catalogue::read(&*store).await?;
        let new: BTreeSet<_> = found.with_a_user.difference(&owned).map(String::as_str).collect();
        assert_eq!(new, more.iter().map(|(name, _)| *name).collect(), "{}", backend.name());
        let going: Vec<_> = found.going_along.difference(&owned).collect();
        assert_eq!(going, ["as_it_should_be"], "{}", backend.name());
        store.close().await?;
    }
    Ok(())
}
