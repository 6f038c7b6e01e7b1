//! The program as a person runs it, on either database.

// Clippy takes functions beside the tests for production code.
#![allow(clippy::expect_used)]

use std::process::Command;

use larder_testing::Postgres;

fn run(url: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_invoices")).arg(url).output().expect("the program starts");
    let told = String::from_utf8(output.stdout).expect("plain text");
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    told
}

#[tokio::test]
async fn it_tells_the_same_on_every_database() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Postgres::shared().await.expect("PostgreSQL");
    let database = server.database().await.expect("a database");

    let in_memory = run("memory:");
    let expected = "found by search: 1\n\
                    2026-001 for Ada Lovelace: 2 lines, 121500 cents, sent\n\
                    the same number again: Invoice with this user_id, number already exists\n";
    assert_eq!(in_memory, expected);
    assert_eq!(run(&format!("file:{}", directory.path().join("invoices.db").display())), expected);
    assert_eq!(run(database.url()), expected);
}
