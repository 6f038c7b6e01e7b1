//! The schema that the metadata asks for is the one that the database says it has.

use larder_core::{Sql, Store};
use larder_sql::{LogicalSchema, LogicalType, introspect};

use crate::common::*;

#[tokio::test]
async fn what_was_created_is_what_is_found() {
    let fixture = Fixture::new().await;
    let store = fixture.store("").await;
    assert_eq!(introspect(&*store, &[]).await.unwrap(), LogicalSchema::of(&[&JOBS, &USERS]));
    assert_eq!(introspect(&*store, &["jobs"]).await.unwrap(), LogicalSchema::of(&[&USERS]));
}

#[tokio::test]
async fn every_difference_shows() {
    let fixture = Fixture::new().await;
    let store = fixture.store("").await;
    let expected = LogicalSchema::of(&[&JOBS, &USERS]);
    let changes = [
        "ALTER TABLE jobs ADD COLUMN extra bigint",
        "ALTER TABLE jobs ALTER name DROP NOT NULL",
        "ALTER TABLE jobs ALTER status DROP DEFAULT",
        "ALTER TABLE jobs ALTER name TYPE text COLLATE \"POSIX\"",
        "ALTER TYPE job_status ADD VALUE 'MORE'",
        "ALTER TABLE jobs DROP CONSTRAINT jobs_tokens_check",
        "ALTER TABLE jobs DROP CONSTRAINT jobs_user_id_name_key",
        "ALTER TABLE jobs DROP CONSTRAINT jobs_user_id_fkey",
        "ALTER TABLE jobs DROP CONSTRAINT jobs_pkey",
        "DROP INDEX jobs_next_run_at_idx",
        "CREATE TABLE other (id bigint)",
    ];
    let mut before = expected;
    for change in changes {
        store.sql(Sql::portable(change)).await.unwrap();
        let after = introspect(&*store, &[]).await.unwrap();
        assert_ne!(after, before, "{change}");
        before = after;
    }
    let name = before.tables[0].columns.iter().find(|column| column.name == "name").unwrap();
    assert_eq!(name.kind, LogicalType::Other("text COLLATE POSIX".to_owned()));
}
