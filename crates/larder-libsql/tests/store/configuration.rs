//! URLs, and what can be wrong with the place that they name.

use std::{fs, path::PathBuf, time::Duration};

use crate::common::{Fixture, SHELVES, count, insert, open, shelf, text, url};
use larder_core::{Begin, Capability, ColumnType, ErrorKind, Sql, Store, Value};
use larder_libsql::{LibsqlConfig, Location, Synchronous};

fn refused(url: &str) -> String {
    let error = LibsqlConfig::parse(url).expect_err(url);
    assert_eq!(*error.kind(), ErrorKind::Config, "{url}");
    error.context().to_owned()
}

#[test]
fn places() {
    let place = |url: &str| LibsqlConfig::parse(url).expect(url).location;
    assert_eq!(place("file:app.db"), Location::File(PathBuf::from("app.db")));
    assert_eq!(place("file:/var/lib/app.db"), Location::File(PathBuf::from("/var/lib/app.db")));
    assert_eq!(place("file:///var/lib/app.db"), Location::File(PathBuf::from("/var/lib/app.db")));
    assert_eq!(place("file:100%25%20%3F.db?create=false"), Location::File(PathBuf::from("100% ?.db")));
    assert_eq!(place("memory:"), Location::Memory(None));
    assert_eq!(place(":memory:"), Location::Memory(None));
    assert_eq!(place(":memory:?timeout=1s"), Location::Memory(None));
    assert_eq!(place("memory:tests"), Location::Memory(Some("tests".to_owned())));
}

#[test]
fn options() {
    let config = LibsqlConfig::parse(
        "file:a.db?readers=3&timeout=2m&busy_timeout=250ms&synchronous=normal&cache=512KiB&create=false&queue=7",
    )
    .expect("all options");
    assert_eq!((config.readers, config.queue, config.create), (3, 7, false));
    assert_eq!((config.timeout, config.busy_timeout), (Duration::from_secs(120), Duration::from_millis(250)));
    assert_eq!((config.synchronous, config.cache), (Synchronous::Normal, 512 * 1024));
}

#[test]
fn wrong_urls_are_refused_with_what_is_allowed() {
    assert!(refused("mysql:app").contains("file:"));
    assert!(refused("app.db").contains("file:"));
    assert!(refused("file:").contains("path"));
    assert!(refused("file://host/app.db").contains("no host"));
    assert!(refused("file:a%00b").contains("NUL"));
    assert!(refused("file:a%ff").contains("UTF-8"));
    assert!(refused("file:a.db?reader=3").contains("unknown option reader; allowed are busy_timeout, cache"));
    assert!(refused("memory:?readers=3").contains("unknown option readers"));
    assert!(refused("file:a.db?readers=1&readers=2").contains("twice"));
    for (option, rule) in [
        ("readers=0", "from 1 to 64"),
        ("readers=65", "from 1 to 64"),
        ("readers=two", "whole number"),
        ("readers", "whole number"),
        ("queue=0", "from 1 to"),
        ("timeout=5", "duration"),
        ("timeout=0s", "from 1ms"),
        ("timeout=2h", "to 3600s"),
        ("busy_timeout=-1s", "duration"),
        ("synchronous=FULL", "full, normal or off"),
        ("cache=16MB", "size like"),
        ("cache=1KiB", "from 64KiB"),
        ("cache=99999999999999999999GiB", "size like"),
        ("create=yes", "true or false"),
    ] {
        let context = refused(&format!("file:a.db?{option}"));
        assert!(context.contains(rule) && context.contains(option), "{option}: {context}");
    }
}

async fn not_opened(url: &str) -> (ErrorKind, String) {
    let error = open(url).await.expect_err(url);
    (error.kind().clone(), error.context().to_owned())
}

#[tokio::test]
async fn wrong_places_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path().display();

    let (kind, context) = not_opened(&format!("file:{place}/missing/a.db")).await;
    assert_eq!(kind, ErrorKind::Config);
    assert!(context.contains("missing"), "{context}");

    let (kind, context) = not_opened(&format!("file:{place}")).await;
    assert_eq!(kind, ErrorKind::Config);
    assert!(context.contains("a directory, not a file"), "{context}");

    let (kind, context) = not_opened(&format!("file:{place}/absent.db?create=false")).await;
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(context.contains("absent.db"), "{context}");
    assert!(!directory.path().join("absent.db").exists());

    fs::write(
        directory.path().join("plain.txt"),
        "no database, but longer than a header of one hundred bytes".repeat(9),
    )
    .expect("write");
    let (kind, context) = not_opened(&format!("file:{place}/plain.txt")).await;
    assert_eq!(kind, ErrorKind::Corrupt { entity: "database".into(), field: "".into() });
    assert!(context.contains("plain.txt"), "{context}");

    let (kind, context) = not_opened(&format!("file:{place}/plain.txt/a.db")).await;
    assert_eq!(kind, ErrorKind::Config);
    assert!(context.contains("plain.txt"), "{context}");
}

/// Nobody can create files in /proc, not even root.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_directory_that_takes_no_files_is_read_only() {
    let (kind, context) = not_opened("file:/proc/larder.db").await;
    assert_eq!(kind, ErrorKind::ReadOnly);
    assert!(context.contains("/proc"), "{context}");
}

/// A higher "write version" in the header makes a file read-only for everybody, root included.
#[tokio::test]
async fn a_read_only_database_refuses_writes() {
    let fixture = Fixture::file("").await;
    fixture.store.close().await.expect("close");
    let path = fixture.directory.as_ref().expect("a file").path().join("test.db");
    let mut bytes = fs::read(&path).expect("read");
    bytes[18] = 3;
    fs::write(&path, bytes).expect("write");

    let (kind, context) = not_opened(&url(path.parent().expect("a directory"))).await;
    assert_eq!(kind, ErrorKind::ReadOnly);
    assert!(context.contains("test.db"), "{context}");
}

#[tokio::test]
async fn capabilities_are_those_of_the_place() {
    let [file, memory] = Fixture::both("").await;
    let of = |fixture: &Fixture| -> Vec<_> {
        Capability::ALL.iter().copied().filter(|capability| fixture.store.supports(*capability)).collect()
    };
    let in_file =
        [Capability::Sql, Capability::Durable, Capability::ReadsDuringTransaction, Capability::LargeValues];
    assert_eq!(of(&file), in_file);
    assert_eq!(of(&memory), [Capability::Sql, Capability::LargeValues]);
}

#[tokio::test]
async fn a_name_in_memory_is_shared_and_no_name_is_not() {
    let first = open("memory:shared").await.expect("open");
    crate::common::create(&first).await;
    let second = open("memory:shared").await.expect("open");
    second.execute(insert(&SHELVES, [shelf(2, "below", None)])).await.expect("insert");
    assert_eq!(count(&first, &SHELVES).await, 2);

    // It lives as long as one handle does.
    first.close().await.expect("close");
    assert_eq!(count(&second, &SHELVES).await, 2);
    second.close().await.expect("close");
    let third = open("memory:shared").await.expect("open");
    assert_eq!(
        *third.execute(crate::common::count_of(&SHELVES)).await.expect_err("empty").kind(),
        ErrorKind::Schema
    );

    let (one, other) = (open("memory:").await.expect("open"), open(":memory:").await.expect("open"));
    crate::common::create(&one).await;
    assert_eq!(
        *other.execute(crate::common::count_of(&SHELVES)).await.expect_err("empty").kind(),
        ErrorKind::Schema
    );
}

/// What the connections of this store say to a PRAGMA: that of the writer, then one that reads.
async fn settings(fixture: &Fixture, name: &'static str, kind: ColumnType) -> [Value; 2] {
    let pragma = Sql::portable(format!("PRAGMA {name}")).returning([kind]);
    let mut transaction = fixture.store.begin(Begin::Serializable).await.expect("begin");
    let written = transaction.sql(pragma.clone()).await.expect(name);
    transaction.rollback().await.expect("rollback");
    let read = fixture.store.sql(pragma).await.expect(name);
    [written, read].map(|outcome| outcome.rows[0].values()[0].clone())
}

#[tokio::test]
async fn every_connection_is_set_up() {
    let fixture = Fixture::file("cache=1MiB").await;
    let both = |value: Value| [value.clone(), value];
    assert_eq!(settings(&fixture, "journal_mode", ColumnType::Text).await, both(text("wal")));
    for (name, value) in
        [("foreign_keys", 1), ("synchronous", 2), ("trusted_schema", 0), ("cache_size", -1024)]
    {
        assert_eq!(settings(&fixture, name, ColumnType::Int).await, both(Value::Int(value)), "{name}");
    }
    assert_eq!(settings(&fixture, "query_only", ColumnType::Int).await, [Value::Int(0), Value::Int(1)]);
    let fixture = Fixture::file("synchronous=normal").await;
    assert_eq!(settings(&fixture, "synchronous", ColumnType::Int).await, both(Value::Int(1)));
}

/// `.cargo/config.toml` says why; it is found from the directory that cargo runs in.
#[tokio::test]
async fn the_library_is_built_with_the_flags_of_the_workspace() {
    let fixture = Fixture::memory("").await;
    let pragma = Sql::portable("PRAGMA compile_options").returning([ColumnType::Text]);
    let options: Vec<_> = fixture.store.sql(pragma).await.expect("options").rows;
    let has = |option| options.iter().any(|row| row.values()[0] == text(option));
    assert!(has("DEFAULT_MEMSTATUS=0") && has("ENABLE_MATH_FUNCTIONS") && !has("ENABLE_MEMORY_MANAGEMENT"));
}
