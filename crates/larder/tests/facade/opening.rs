//! What cannot be opened, and what the error tells to do.

use std::{path::Path, time::Duration};

use larder::prelude::*;
use larder_testing::{Postgres, Proxy};
use url::Url;

async fn refusal(url: &str) -> (ErrorKind, String) {
    let error = Larder::open(url).await.unwrap_err();
    (error.kind().clone(), error.context().to_owned())
}

/// Asserts that a file is refused with this kind of error, in words that hold its path and these.
async fn assert_file_refused(path: &Path, options: &str, kind: ErrorKind, words: &str) {
    let (found, said) = refusal(&format!("file:{}{options}", path.display())).await;
    assert_eq!(found, kind, "{said}");
    assert!(said.contains(&path.display().to_string()) && said.contains(words), "{said}");
}

#[tokio::test]
async fn an_unknown_scheme() {
    for (url, what) in
        [("mysql://ada@localhost/app", "unknown scheme `mysql:`"), ("app.db", "no scheme"), ("", "no scheme")]
    {
        let known = "a database URL begins with postgres:// or file: or memory: or libsql://";
        assert_eq!(refusal(url).await, (ErrorKind::Config, format!("{what}; {known}")), "{url}");
    }
}

#[tokio::test]
async fn an_unknown_option_is_named_with_those_that_are_known() {
    let directory = tempfile::tempdir().unwrap();
    let file = format!("file:{}", directory.path().join("test.db").display());
    for (url, known) in
        [(&*file, "synchronous"), ("memory:", "timeout"), ("postgres://ada@localhost/app", "pool_size")]
    {
        let (kind, words) = refusal(&format!("{url}?colour=red")).await;
        assert_eq!(kind, ErrorKind::Config);
        assert!(
            words.contains("unknown option") && words.contains("colour") && words.contains(known),
            "{words}"
        );
    }
    assert!(
        !directory.path().join("test.db").exists(),
        "nothing is made before the options are known to be good"
    );
}

#[tokio::test]
async fn an_option_with_a_bad_value_is_named() {
    for (url, name, allowed) in [
        ("file:app.db?synchronous=maybe", "synchronous", "full, normal or off"),
        ("file:app.db?readers=0", "readers", "from 1 to 64"),
        ("memory:?timeout=5", "timeout", "5s"),
        ("postgres://ada@localhost/app?pool_size=0", "pool_size", "from 1 to 10000"),
        ("postgres://ada@localhost/app?sslmode=on", "sslmode", "verify-full"),
    ] {
        let (kind, words) = refusal(url).await;
        assert_eq!(kind, ErrorKind::Config);
        assert!(words.contains(name) && words.contains(allowed), "{url}: {words}");
    }
}

#[tokio::test]
async fn a_directory_that_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let words = format!("no directory {}", missing.display());
    assert_file_refused(&missing.join("app.db"), "", ErrorKind::Config, &words).await;
    assert!(!missing.exists());
}

#[tokio::test]
async fn a_path_below_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let words = format!("no directory {}", file.path().display());
    assert_file_refused(&file.path().join("app.db"), "", ErrorKind::Config, &words).await;
}

#[tokio::test]
async fn a_directory_is_no_file() {
    let directory = tempfile::tempdir().unwrap();
    assert_file_refused(directory.path(), "", ErrorKind::Config, "is a directory, not a file").await;
}

/// No file can be made there, not even by root.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_directory_that_is_read_only() {
    assert_file_refused(Path::new("/proc/app.db"), "", ErrorKind::ReadOnly, "no file can be created in")
        .await;
}

#[tokio::test]
async fn a_file_that_must_not_be_created() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    assert_file_refused(&path, "?create=false", ErrorKind::Unavailable, "create=false").await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let corrupt = || ErrorKind::Corrupt { entity: "database".into(), field: "".into() };
    for (name, content) in [("short", "hello\n".to_owned()), ("long", "Dear diary, ".repeat(1000))] {
        let path = directory.path().join(name);
        std::fs::write(&path, &content).unwrap();
        assert_file_refused(&path, "", corrupt(), "libSQL or SQLite database, or it is damaged").await;
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        assert_no_companions(&path);
    }
}

fn assert_no_companions(path: &Path) {
    for ending in ["-wal", "-shm", "-journal"] {
        let companion = format!("{}{ending}", path.display());
        assert!(!Path::new(&companion).exists(), "{companion}");
    }
}

/// A server of our own: one that is given may let everybody in.
#[tokio::test]
async fn a_wrong_password_user_or_database() {
    let server = Postgres::builder().own(true).start().await.unwrap();
    let database = server.database().await.unwrap();
    let good = Url::parse(database.url()).unwrap();
    let with = |change: &dyn Fn(&mut Url)| {
        let mut url = good.clone();
        change(&mut url);
        String::from(url)
    };
    let address = database.address().unwrap();

    let wrong_password = with(&|url| url.set_password(Some("wrong")).unwrap());
    assert_eq!(
        refusal(&wrong_password).await,
        (ErrorKind::Denied, format!("{address} refuses the user `postgres`"))
    );
    let no_such_user = with(&|url| url.set_username("nobody").unwrap());
    assert_eq!(
        refusal(&no_such_user).await,
        (ErrorKind::Denied, format!("{address} refuses the user `nobody`"))
    );
    let no_such_database = with(&|url| url.set_path("/nowhere"));
    assert_eq!(
        refusal(&no_such_database).await,
        (ErrorKind::Config, format!("{address} has no database `nowhere`"))
    );
    Larder::open(good.as_str()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_down() {
    let database = Postgres::shared().await.unwrap().database().await.unwrap();
    let proxy = Proxy::start(database.address().unwrap()).await.unwrap();
    let url = database.url_through(proxy.address()).unwrap();
    proxy.refuse(true).await.unwrap();
    let (kind, words) = refusal(&url).await;
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(words.starts_with(&format!("PostgreSQL at {}: ", proxy.address())), "{words}");

    proxy.refuse(false).await.unwrap();
    Larder::open(&url).await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_answer() {
    let database = Postgres::shared().await.unwrap().database().await.unwrap();
    let proxy = Proxy::start(database.address().unwrap()).await.unwrap();
    proxy.freeze(true);
    let url = format!("{}?connect_timeout=200ms", database.url_through(proxy.address()).unwrap());
    let opening = tokio::time::timeout(Duration::from_secs(20), refusal(&url));
    let words = format!("{} does not answer", proxy.address());
    assert_eq!(opening.await.unwrap(), (ErrorKind::Unavailable, words));
}
