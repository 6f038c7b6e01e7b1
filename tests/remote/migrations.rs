//! Migrations on a server.

use larder::Larder;
use larder_testing::Sqld;

#[tokio::test(flavor = "multi_thread")]
async fn eight_who_migrate_at_once_apply_each_step_once() {
    let server = Sqld::shared().await.unwrap();
    let database = server.database().await.unwrap();
    let migrations = (0..8).map(|_| {
        let url = database.url().to_owned();
        tokio::spawn(async move { Larder::open(&url).await.unwrap().migrate().await })
    });
    let mut applied = Vec::new();
    for migration in migrations.collect::<Vec<_>>() {
        applied.extend(migration.await.unwrap().unwrap());
    }
    let status = Larder::open(database.url()).await.unwrap().migrations().await.unwrap();
    assert_eq!((applied.len(), status.pending.len()), (status.applied.len(), 0));
}
