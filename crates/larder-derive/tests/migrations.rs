//! What `migrations!` embeds. What it refuses is tested where it is written.

extern crate larder_core as larder;

#[test]
fn both_directories_are_embedded() {
    let migrations = larder_derive::migrations!(
        "app",
        postgres = "tests/migrations/postgres",
        sqlite = "tests/migrations/sqlite",
    );
    assert_eq!(migrations.source(), "app");
    let [users, no_users] = migrations.steps() else { panic!("two steps, not {:?}", migrations.steps()) };
    assert_eq!((users.number, &*users.name), (1, "users"));
    assert_eq!(users.postgres, "CREATE TABLE users (id uuid PRIMARY KEY);\n");
    assert_eq!(users.sqlite, "CREATE TABLE users (id BLOB NOT NULL PRIMARY KEY) STRICT;\n");
    assert_eq!((no_users.number, &*no_users.name), (2, "no_users"));
}
