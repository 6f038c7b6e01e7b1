//! A server that can be reached: who keeps it, and the administrator's connections to it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use url::Url;

use super::login::{Login, reason};
use super::pool::Pool;
use super::supervised::PostgresService;
use crate::TestingError;
use crate::background::Background;
use crate::supervisor::Supervisor;

/// Shared by the handle of the server and those of its databases: the last one ends it.
pub(super) struct Server {
    runtime: Background,
    pool: Arc<Pool>,
    pub(super) url: Url,
    pub(super) origin: String,
    pub(super) keeper: Keeper,
    file_copy: bool,
}

/// Who ends the server.
pub(super) enum Keeper {
    /// We do, through the supervisor.
    Ours(Box<Mutex<Supervisor<PostgresService>>>),
    /// Nobody of us: its URL was given.
    Theirs,
    #[cfg(feature = "docker")]
    Docker { _reaper: super::docker::Reaper },
}

impl Server {
    /// Connects as the administrator. `origin` follows the version in what the server says of itself.
    pub(super) async fn connect(
        runtime: Background,
        admin: Login,
        url: Url,
        origin: &str,
        keeper: Keeper,
        durable: bool,
    ) -> Result<Self, TestingError> {
        let connecting = async move {
            // Not through the pool: it would ask a server that is not there for a minute, and hide why it failed.
            let client = admin.connect().await?;
            let facts = "SELECT current_setting('server_version'), current_setting('server_version_num')::int, \
                         current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off'";
            let row = client.query_one(facts, &[]).await?;
            let facts = (row.try_get::<_, String>(0)?, row.try_get::<_, i32>(1)?, row.try_get::<_, bool>(2)?);
            Ok::<_, tokio_postgres::Error>((Pool::new(admin, client), facts))
        };
        let context = format!("cannot connect to PostgreSQL {origin}");
        let connected = runtime.run(connecting).await?.map_err(reason);
        let (pool, (version, number, is_durable)) = connected.map_err(TestingError::caused(context))?;
        let version = version.split(' ').next().unwrap_or_default();
        let origin = format!("PostgreSQL {version} {origin}");
        // Copying files was up to three times as fast as going through the log (PostgreSQL 15), synced or not.
        let file_copy = number >= 150_000;
        let server = Self { runtime, pool: Arc::new(pool), url, origin, keeper, file_copy };
        if durable && !is_durable {
            return Err(TestingError::new(format!(
                "{} is not durable: fsync or synchronous_commit is off",
                server.origin
            )));
        }
        Ok(server)
    }

    /// Runs statements that only the administrator may run, each in a transaction of its own.
    pub(super) async fn administer(&self, what: &str, statements: Vec<String>) -> Result<(), TestingError> {
        let pool = Arc::clone(&self.pool);
        let done = self.runtime.run(async move { pool.execute(&statements).await }).await?;
        done.map_err(TestingError::caused(format!("cannot {what}")))
    }

    /// Drops a database, from a destructor: there is nobody to tell when it fails.
    pub(super) fn drop_database(&self, name: &str) {
        let statements = [format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")];
        let (done, wait) = std::sync::mpsc::channel();
        let pool = Arc::clone(&self.pool);
        self.runtime.spawn(async move {
            let _ = pool.execute(&statements).await;
            let _ = done.send(());
        });
        // Our own servers end with their databases. In theirs it would stay for good if the process ended first.
        if matches!(self.keeper, Keeper::Theirs) {
            let _ = wait.recv_timeout(Duration::from_secs(10));
        }
    }

    /// `CREATE DATABASE`, from a template that nobody can be connected to.
    pub(super) fn create_statement(&self, name: &str, template: &str) -> String {
        let strategy = if self.file_copy { " STRATEGY file_copy" } else { "" };
        format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\" ENCODING 'UTF8'{strategy}")
    }

    /// The supervisor, for tests that stop or freeze the server.
    pub(super) fn supervisor(&self) -> Result<&Mutex<Supervisor<PostgresService>>, TestingError> {
        match &self.keeper {
            Keeper::Ours(supervisor) => Ok(supervisor),
            _ => Err(TestingError::new(format!(
                "only a server that was started from local binaries can be stopped or frozen, and this is {}: \
                 use Postgres::builder().own(true)",
                self.origin
            ))),
        }
    }
}
