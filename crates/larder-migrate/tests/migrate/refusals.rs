//! Databases that do not fit the program: refused by `status` and by `migrate`, with nothing applied.

use std::sync::Arc;

use larder_core::{ErrorKind, Migrations, Sql, Store};
use larder_migrate::status;

use crate::databases::{Database, ledger, migrate, notes, number, on_both};

on_both!(a_changed_step, a_removed_step, a_step_out_of_order, a_newer_database, two_sets_of_one_source);

const NOTHING: &str = "SELECT 1";

/// Both refuse, in these words, and apply nothing of any set.
async fn assert_refused(store: &Arc<dyn Store>, set: Migrations, words: &str) {
    let before = ledger(store).await;
    // A set before it that has something pending.
    let sets = [Migrations::new("first").then("pending", NOTHING, NOTHING), set];
    for error in [status(store, &sets).await.map(|_| ()), migrate(store, &sets).await.map(|_| ())] {
        let error = error.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Migration);
        assert_eq!(error.context(), words);
    }
    assert_eq!(ledger(store).await, before);
    assert_eq!(number(store, "SELECT count(*) FROM notes WHERE text IN ('one!', 'two!')").await, 2);
}

async fn migrated(database: &Database) -> Arc<dyn Store> {
    let store = database.open().await;
    migrate(&store, &[notes()]).await.unwrap();
    store
}

/// The notes without the steps of these numbers.
fn notes_without(numbers: &[u32]) -> Migrations {
    let kept: Vec<_> =
        notes().steps().iter().filter(|step| !numbers.contains(&step.number)).cloned().collect();
    let steps = kept.into_iter().map(|step| {
        let leak = |text: std::borrow::Cow<'static, str>| &*Box::leak(text.into_owned().into_boxed_str());
        (step.number, leak(step.name), leak(step.postgres), leak(step.sqlite))
    });
    Migrations::embedded("notes", Vec::leak(steps.collect()))
}

async fn a_changed_step(database: Database) {
    let store = migrated(&database).await;
    let [create, fill, shout] = notes().steps().to_vec().try_into().unwrap();
    let changed = Migrations::new("notes")
        .then(create.name, create.postgres, create.sqlite)
        .then(fill.name, "SELECT 2", "SELECT 2")
        .then(shout.name, shout.postgres, shout.sqlite);
    let words = "notes 0002_fill was changed after it was applied on 2026-01-02 03:04:05 UTC: put it back as it was, and \
                 write the change as a new migration";
    assert_refused(&store, changed, words).await;
}

async fn a_removed_step(database: Database) {
    let store = migrated(&database).await;
    let words = "the database has notes 0002_fill, which this program lacks: put the migration back, it must not be removed";
    assert_refused(&store, notes_without(&[2]), words).await;
}

async fn a_step_out_of_order(database: Database) {
    let store = migrated(&database).await;
    store.sql(Sql::portable("DELETE FROM larder_migrations WHERE number = 2")).await.unwrap();
    let words = "notes 0002_fill was not applied though notes 0003 was: give it a number after the last one of this program";
    assert_refused(&store, notes(), words).await;
}

async fn a_newer_database(database: Database) {
    let store = migrated(&database).await;
    let words =
        "the database has notes 0003_shout, and this program knows only up to 0002: run a newer program";
    assert_refused(&store, notes_without(&[3]), words).await;
}

async fn two_sets_of_one_source(database: Database) {
    let store = migrated(&database).await;
    let words = "two sets of migrations have the source `first`: give each a name of its own";
    assert_refused(&store, Migrations::new("first").then("other", NOTHING, NOTHING), words).await;
}
