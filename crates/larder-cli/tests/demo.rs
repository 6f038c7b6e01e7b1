//! The program as a person runs it.

// Clippy takes functions beside the tests for production code.
#![allow(clippy::expect_used)]

use std::process::{Command, Output};

use larder::{Larder, prelude::*};
use larder_testing::Postgres;

fn demo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
    command.arg("demo").args(arguments).output().expect("the program starts")
}

/// What the program told, when it went well.
fn story(arguments: &[&str]) -> String {
    let output = demo(arguments);
    let told = String::from_utf8(output.stdout).expect("plain text");
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    told
}

/// The story with every UUID replaced.
fn without_ids(story: &str) -> String {
    let is_id = |word: &str| word.len() == 36 && word.matches('-').count() == 4;
    let line = |line: &str| {
        let words = line.split(' ').map(|word| {
            let bare = word.trim_matches(|c: char| !c.is_ascii_hexdigit());
            if is_id(bare) { word.replace(bare, "ID") } else { word.to_owned() }
        });
        words.collect::<Vec<_>>().join(" ")
    };
    story.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_embedded_demo_runs_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path().join("not there yet");
    let arguments = ["--directory", directory.to_str().expect("UTF-8")];
    let first = story(&arguments);
    assert!(first.contains("Job not found"), "{first}");
    assert!(first.contains("15 jobs are due"), "{first}");
    assert!(first.contains("complete all 15, 0 of them twice"), "{first}");
    assert!(first.contains("fencing number 2"), "{first}");
    assert!(first.contains("the lease on this Job was lost"), "{first}");
    assert!(!first.contains('\u{1b}'), "plain text when not on a terminal");
    assert!(directory.join("larder.db").is_file());

    let second = story(&arguments);
    let after_migration =
        |story: &str| without_ids(story).split_once("2. Two users").map(|(_, rest)| rest.to_owned());
    assert_eq!(after_migration(&first), after_migration(&second));
}

#[tokio::test]
async fn postgres_tells_the_same_story() {
    let directory = tempfile::tempdir().expect("a directory");
    let embedded = story(&["--directory", directory.path().to_str().expect("UTF-8")]);
    let database = Postgres::shared().await.expect("PostgreSQL").database().await.expect("a database");
    let postgres = story(&["--url", database.url()]);
    assert_eq!(without_ids(&embedded), without_ids(&postgres));
}

#[tokio::test]
async fn a_database_with_other_users_is_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("file:{}", directory.path().join("app.db").display());
    let larder = Larder::open(&url).await.expect("opens");
    larder.migrate().await.expect("migrates");
    let user = larder.system().users().create(NewUser::default()).await.expect("a user");
    larder.close().await.expect("closes");

    let output = demo(&["--url", &url]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("other users"), "{said}");

    let larder = Larder::open(&url).await.expect("opens");
    assert_eq!(larder.user(user.id).profile().get().await.expect("reads"), Some(user));
}

#[test]
fn a_wrong_url_is_told_in_a_sentence() {
    let output = demo(&["--url", "mysql://root:geheim@localhost/app"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("unknown scheme `mysql:`") && said.contains("postgres://"), "{said}");
    assert!(!said.contains("geheim"), "{said}");
}
