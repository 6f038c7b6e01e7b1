//! The service, running on a fresh database of either kind.

use std::{net::SocketAddr, time::Duration};

use job_service::{Agent, Runner, Settings, serve};
use larder::prelude::*;
use larder_testing::{Postgres, PostgresDatabase};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::client::Client;

/// Runs each of these tests, which take a [`Database`], on both.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod libsql {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::service::Database::libsql()).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::service::Database::postgres().await).await;
            })+
        }
    };
}
pub(crate) use on_both;

/// How long what is waited for may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// So late that no failed run is repeated but by a test that says so.
pub(crate) const FIRST_RETRY: Duration = Duration::from_secs(3600);

/// An empty database. It is gone when this is dropped.
pub(crate) enum Database {
    Libsql(TempDir),
    Postgres(PostgresDatabase),
}

impl Database {
    pub(crate) fn libsql() -> Self {
        Self::Libsql(tempfile::tempdir().unwrap())
    }

    pub(crate) async fn postgres() -> Self {
        Self::Postgres(Postgres::shared().await.unwrap().database().await.unwrap())
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Libsql(directory) => format!("file:{}", directory.path().join("test.db").display()),
            Self::Postgres(database) => database.url().to_owned(),
        }
    }
}

/// Nothing waits for long, and nothing is given up.
pub(crate) fn settings() -> Settings {
    Settings {
        poll: Duration::from_millis(20),
        first_retry: FIRST_RETRY,
        drain: PATIENCE,
        ..Settings::default()
    }
}

/// A service in this process.
pub(crate) struct Service {
    pub(crate) larder: Larder,
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<larder::Result<()>>,
}

impl Service {
    /// With the example's own runner.
    pub(crate) async fn start(url: &str) -> Self {
        Self::running(url, Agent).await
    }

    pub(crate) async fn running(url: &str, runner: impl Runner) -> Self {
        Self::with(url, runner, settings()).await
    }

    pub(crate) async fn with(url: &str, runner: impl Runner, settings: Settings) -> Self {
        let larder = Larder::open(url).await.unwrap();
        larder.migrate().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let running = tokio::spawn(serve(larder.clone(), listener, runner, settings, stop.clone()));
        Self { larder, address, stop, running }
    }

    /// A new user's key that allows this.
    pub(crate) async fn issue(&self, scopes: &[&str]) -> IssuedApiKey {
        let user = self.larder.system().users().create(NewUser::default()).await.unwrap();
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        let key = NewApiKey { scopes, ..NewApiKey::new("test") };
        self.larder.user(user.id).api_keys().issue(key).await.unwrap()
    }

    /// A new user, with a key that allows everything.
    pub(crate) async fn user(&self) -> Client {
        let issued = self.issue(&job_service::SCOPES).await;
        Client::with_key(self.address, issued.token.expose())
    }

    /// Tells it to stop, as a signal would.
    pub(crate) fn tell_to_stop(&self) {
        self.stop.cancel();
    }

    /// Waits until it has stopped.
    pub(crate) async fn stopped(self) {
        self.tell_to_stop();
        tokio::time::timeout(PATIENCE, self.running).await.expect("it stops").unwrap().unwrap();
    }
}
