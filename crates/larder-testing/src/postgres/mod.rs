//! A PostgreSQL server for tests.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::TestingError;

mod account;
mod binaries;
mod builder;
mod database;
#[cfg(feature = "docker")]
mod docker;
mod local;
mod login;
mod pool;
mod server;
mod supervised;

pub use builder::PostgresBuilder;
pub use database::{PostgresDatabase, Template};
use server::Server;

/// The environment variable that names a server for tests: the URL of a user that may create databases. It has to say
/// everything, as libpq's own variables and files are not read.
pub const POSTGRES_URL: &str = "LARDER_TEST_POSTGRES_URL";

/// A running PostgreSQL server.
///
/// One that was started ends when this and all its databases are dropped, and in any case with the process.
pub struct Postgres {
    server: Arc<Server>,
}

impl Postgres {
    /// Finds or starts a server: the URL in [`POSTGRES_URL`]; binaries in `/usr/lib/postgresql/*/bin`, newest first,
    /// or on PATH, run as an unprivileged user when we are root; Docker, with the feature `docker`.
    ///
    /// # Errors
    /// As [`PostgresBuilder::start`].
    pub async fn start() -> Result<Self, TestingError> {
        Self::builder().start().await
    }

    /// For a server with other settings.
    #[must_use]
    pub fn builder() -> PostgresBuilder {
        PostgresBuilder::default()
    }

    /// The one server of this process, started by whoever asks first.
    ///
    /// # Errors
    /// As [`Postgres::start`]; the next to ask tries again.
    pub async fn shared() -> Result<&'static Self, TestingError> {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// How it was found, for printing: `PostgreSQL 15.18 started from /usr/lib/postgresql/15/bin (as user postgres)`.
    /// It holds no password.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.server.origin
    }

    /// A fresh, empty database.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses to make one.
    pub async fn database(&self) -> Result<PostgresDatabase, TestingError> {
        // Not template1, which somebody may have changed or be connected to.
        PostgresDatabase::create(&self.server, "template0").await
    }

    /// Makes a template: creates a database, lets `prepare` fill it by its URL, and closes it to connections; those
    /// that `prepare` left open are terminated.
    ///
    /// # Errors
    /// When `prepare` fails, with its error as the source; when the server fails.
    pub async fn template<F, P, E>(&self, prepare: F) -> Result<Template, TestingError>
    where
        F: FnOnce(String) -> P,
        P: Future<Output = Result<(), E>>,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let database = self.database().await?;
        let prepared = prepare(database.url().to_owned()).await;
        prepared.map_err(TestingError::caused("cannot prepare a template"))?;
        Template::freeze(database).await
    }

    /// A copy of a template. Copies may be made at the same time.
    ///
    /// # Errors
    /// When the template is another server's; when the server cannot be reached or refuses.
    pub async fn database_from(&self, template: &Template) -> Result<PostgresDatabase, TestingError> {
        if !template.is_on(&self.server) {
            return Err(TestingError::new("the template is on another server"));
        }
        PostgresDatabase::create(&self.server, template.name()).await
    }

    /// Stops the server in an orderly way: sessions are ended, and it answers no more until it is
    /// [restarted](Self::restart).
    ///
    /// # Errors
    /// When the server is not one that was started from local binaries, or does not end.
    pub async fn stop(&self) -> Result<(), TestingError> {
        self.server.supervisor()?.lock().await.stop().await
    }

    /// Kills every process of the server at once (SIGKILL), as a crash does.
    ///
    /// # Errors
    /// When the server is not one that was started from local binaries, or does not end.
    pub async fn kill(&self) -> Result<(), TestingError> {
        self.server.supervisor()?.lock().await.kill().await
    }

    /// Kills the process of one session (SIGKILL), which `pg_backend_pid()` names; does nothing when there is none. The
    /// server takes that for a crash: it ends all other sessions too, recovers, and takes new ones.
    ///
    /// # Errors
    /// When the server is not one that was started from local binaries, or is stopped.
    pub async fn kill_session(&self, pid: u32) -> Result<(), TestingError> {
        self.server.supervisor()?.lock().await.signal_backend("KILL", pid).await
    }

    /// Freezes every process of the server (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    /// When the server is not one that was started from local binaries, or is stopped.
    pub async fn freeze(&self) -> Result<(), TestingError> {
        self.server.supervisor()?.lock().await.signal("STOP").await
    }

    /// Lets a [frozen](Self::freeze) server go on (SIGCONT).
    ///
    /// # Errors
    /// When the server is not one that was started from local binaries, or is stopped.
    pub async fn resume(&self) -> Result<(), TestingError> {
        self.server.supervisor()?.lock().await.signal("CONT").await
    }

    /// Stops the server if it runs, and starts it again with the same data on the same port.
    ///
    /// # Errors
    /// When the server is not one that was started from local binaries, or does not end or start.
    pub async fn restart(&self) -> Result<(), TestingError> {
        let mut supervisor = self.server.supervisor()?.lock().await;
        supervisor.stop().await?;
        supervisor.start().await
    }
}

// The server's URL holds a password.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("origin", &self.origin()).finish_non_exhaustive()
    }
}
