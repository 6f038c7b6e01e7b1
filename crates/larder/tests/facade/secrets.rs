//! The password is nowhere to be seen: not in `Debug`, not in errors, not in the log.

use std::{
    error::Error as StdError,
    io::Write,
    sync::{Arc, Mutex},
};

use larder::prelude::*;
use larder_postgres::PostgresConfig;
use larder_testing::Postgres;
use tracing_subscriber::fmt::MakeWriter;
use url::Url;

const PASSWORD: &str = "correct-horse";

/// An error in every form, with all its causes.
fn shown(error: &Error) -> String {
    let mut shown = format!("{error} {error:?} {error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        shown += &format!(" {error} {error:?}");
        cause = error.source();
    }
    shown
}

#[tokio::test]
async fn a_url_that_is_wrong() {
    for url in [
        "postgres://ada:correct-horse@localhost/app?colour=red",
        "postgres://ada:correct-horse@localhost/app?pool_size=many",
        "postgres://ada:correct-horse@localhost/",
        "postgres://ada:correct-horse@localhost:port/app",
        "postgres://ada:correct-horse@local host/app",
        "postgres://:correct-horse@localhost/app",
        "postgres:ada:correct-horse@localhost/app",
        "mysql://ada:correct-horse@localhost/app",
        "ada:correct-horse@localhost/app",
        "//ada:correct-horse@localhost/app",
        "file://ada:correct-horse@localhost/app",
    ] {
        let error = Larder::open(url).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Config, "{url}");
        assert!(!shown(&error).contains(PASSWORD), "{}", shown(&error));
    }
}

#[test]
fn a_configuration() {
    let config = PostgresConfig::parse(&format!("postgres://ada:{PASSWORD}@localhost/app")).unwrap();
    let shown = format!("{config:?} {config:#?}");
    assert!(shown.contains("ada") && shown.contains("localhost"));
    assert!(!shown.contains(PASSWORD), "{shown}");
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Everything on the way from a wrong password to a migrated database, at the most talkative level. The log is that of the
/// whole test program: one for a thread alone would miss what others have met before it.
#[tokio::test]
async fn a_handle_its_errors_and_the_log() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let server = Postgres::builder().own(true).start().await.unwrap();
    let database = server.database().await.unwrap();
    let mut url = Url::parse(database.url()).unwrap();
    let right = url.password().unwrap().to_owned();
    url.set_password(Some(PASSWORD)).unwrap();
    let error = Larder::open(url.as_str()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Denied);
    let mut all = shown(&error);

    let larder = Larder::open(database.url()).await.unwrap();
    all += &format!("{larder:?} {larder:#?}");
    all += &shown(&larder.system().users().list(ListUsers::default()).await.unwrap_err());
    all += &format!("{:?}", larder.migrate().await.unwrap());
    all += &format!(
        "{:?} {:?}",
        larder.system().users(),
        larder.store().begin(larder::Begin::Schema).await.unwrap()
    );
    server.stop().await.unwrap();
    all += &shown(&larder.health().await.unwrap_err());
    larder.close().await.unwrap();
    all += &shown(&larder.health().await.unwrap_err());

    assert!(log.text().contains("migrations are pending"), "what is logged arrives here");
    for secret in [PASSWORD, &right] {
        assert!(!all.contains(secret), "{all}");
        let log = log.text();
        assert!(!log.contains(secret), "{:?}", log.lines().find(|line| line.contains(secret)));
    }
}
