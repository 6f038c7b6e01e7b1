//! Databases that are not, or not wholly, or too far migrated.

use larder::{Migrations, Result, Sql, model, prelude::*};

use crate::databases::{Database, on_both, user};

on_both!(
    never_migrated_opens_and_says_what_is_pending,
    half_migrated_opens_and_says_what_is_pending,
    newer_is_refused,
    newer_in_an_applications_own_steps_is_refused,
    changed_is_refused,
    migrating_makes_it_usable_at_once,
);

/// larder's own steps.
fn own() -> Vec<String> {
    let own = model::migrations();
    own.steps().iter().map(|step| own.describe(step)).collect()
}

/// That the schema is missing, and what to do.
#[track_caller]
fn assert_not_migrated<T: std::fmt::Debug>(result: Result<T>) {
    let error = result.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Schema, "{error:?}");
    assert!(error.to_string().contains("migrate()"), "{error}");
}

async fn never_migrated_opens_and_says_what_is_pending(database: Database) {
    let larder = database.open().await.unwrap();
    let status = larder.migrations().await.unwrap();
    assert!(status.applied.is_empty());
    assert_eq!(status.pending, own());
    assert_eq!(own()[..2], ["larder 0001_users_jobs_messages", "larder 0002_authentication"]);

    assert_not_migrated(larder.system().users().create(NewUser::default()).await);
    assert_not_migrated(larder.system().users().find_by_email("ada@example.org").await);
    let claim = ClaimDue { limit: 1, lease: chrono::TimeDelta::seconds(1), worker: "worker".to_owned() };
    assert_not_migrated(larder.system().jobs().claim_due(claim).await);
    let mine = larder.user(some());
    assert_not_migrated(mine.jobs().create(NewJob::new("Water the plants")).await);
    assert_not_migrated(mine.jobs().list(ListJobs::default()).await);
    assert_not_migrated(mine.jobs().get(some()).await);
    assert_not_migrated(mine.jobs().pause(some()).await);
    assert_not_migrated(mine.jobs().delete(some()).await);
    let transaction = mine.transaction(|tx| async move { tx.jobs().list(ListJobs::default()).await });
    assert_not_migrated(transaction.await);
    larder.health().await.unwrap();
}

/// The id of nothing.
fn some<E>() -> Id<E> {
    "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b".parse().unwrap()
}

async fn migrating_makes_it_usable_at_once(database: Database) {
    let larder = database.open().await.unwrap();
    assert_not_migrated(larder.system().users().create(NewUser::default()).await);
    let applied = larder.migrate().await.unwrap();
    assert_eq!(applied.into_iter().map(|applied| applied.step).collect::<Vec<_>>(), own());
    assert!(larder.migrations().await.unwrap().pending.is_empty());
    let job = user(&larder).await.jobs().create(NewJob::new("Water the plants")).await;
    assert_eq!(job.unwrap().definition, "Water the plants");
    assert!(larder.migrate().await.unwrap().is_empty());
}

/// An application's migrations up to this number, at most 2.
fn plants(up_to: usize) -> Migrations {
    let steps = ["CREATE TABLE plants (n integer)", "CREATE TABLE pots (n integer)"];
    steps[..up_to].iter().fold(Migrations::new("plants"), |set, script| set.then("step", *script, *script))
}

async fn open_with(database: &Database, migrations: Migrations) -> Result<Larder> {
    Larder::builder().migrations(migrations).open(&database.url()).await
}

async fn half_migrated_opens_and_says_what_is_pending(database: Database) {
    open_with(&database, plants(1)).await.unwrap().migrate().await.unwrap();

    let larder = open_with(&database, plants(2)).await.unwrap();
    let status = larder.migrations().await.unwrap();
    assert_eq!(status.applied.len(), own().len() + 1);
    assert_eq!(status.pending, ["plants 0002_step"]);
    let system = larder.system();
    let pots = || system.sql(Sql::portable("INSERT INTO pots VALUES (1)"));
    assert_not_migrated(pots().await);
    assert_eq!(larder.migrate().await.unwrap().len(), 1);
    pots().await.unwrap();
}

async fn newer_is_refused(database: Database) {
    let larder = database.migrated().await;
    let sql = "INSERT INTO larder_migrations (source, number, name, checksum, applied_at, duration_us) \
               SELECT source, 99, 'future', checksum, applied_at, 0 FROM larder_migrations WHERE number = 1";
    larder.system().sql(Sql::portable(sql)).await.unwrap();

    let error = database.open().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Migration);
    let known = format!("and this program knows only up to {:04}: run a newer program", own().len());
    assert_eq!(error.context(), format!("the database has larder 0099_future, {known}"));
    assert_eq!(*larder.migrate().await.unwrap_err().kind(), ErrorKind::Migration);
}

async fn newer_in_an_applications_own_steps_is_refused(database: Database) {
    open_with(&database, plants(2)).await.unwrap().migrate().await.unwrap();
    let error = open_with(&database, plants(1)).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Migration);
    assert!(error.context().contains("plants 0002_step") && error.context().contains("run a newer program"));
    // A program that does not bring them has nothing to say about them.
    database.open().await.unwrap();
}

async fn changed_is_refused(database: Database) {
    let larder = database.migrated().await;
    larder.system().sql(Sql::portable("UPDATE larder_migrations SET checksum = 'another'")).await.unwrap();
    let error = database.open().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Migration);
    assert!(
        error.context().starts_with("larder 0001_users_jobs_messages was changed after it was applied on ")
    );
}
