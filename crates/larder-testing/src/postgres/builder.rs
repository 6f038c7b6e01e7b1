//! Where a server is looked for, and in which order.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Mutex;
use url::Url;

use super::login::Login;
use super::server::{Keeper, Server};
use super::{POSTGRES_URL, Postgres, binaries, local};
use crate::TestingError;
use crate::background::Background;

/// How a server is found or started; [`Postgres::builder`] begins one.
#[derive(Debug, Default)]
pub struct PostgresBuilder {
    durable: bool,
    own: bool,
    binaries: Option<Vec<PathBuf>>,
    directory: Option<PathBuf>,
}

impl PostgresBuilder {
    /// Leaves `fsync`, `full_page_writes` and autovacuum on, and the data on a disk: for measurements. Off by default,
    /// as a test needs none of that; also without it, what a [killed](Postgres::kill) server had confirmed is there
    /// after the [restart](Postgres::restart), but not after a loss of power.
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Starts a server even where [`POSTGRES_URL`] names one: for tests that stop or freeze it.
    #[must_use]
    pub fn own(mut self, own: bool) -> Self {
        self.own = own;
        self
    }

    /// Looks for `initdb` and `postgres` in these directories, in place of Debian's and those on PATH.
    #[must_use]
    pub fn binaries(mut self, directories: impl IntoIterator<Item = PathBuf>) -> Self {
        self.binaries = Some(directories.into_iter().collect());
        self
    }

    /// Where a started server's data goes, in a directory of its own that is removed in the end. Otherwise in memory,
    /// `/dev/shm`, where there is enough, or with [`durable`](Self::durable) in the directory for temporary files.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Finds or starts the server, and says on stderr which it took.
    ///
    /// # Errors
    /// When none is found, with what to install; when the one found cannot be reached or started, as the next one
    /// would only hide that; when [`durable`](Self::durable) was asked of a server that is not.
    pub async fn start(self) -> Result<Postgres, TestingError> {
        let server = match self.given_url()? {
            Some(url) => self.connect(&url).await?,
            None => self.start_new().await?,
        };
        eprintln!("larder-testing: {}", server.origin);
        Ok(Postgres { server: Arc::new(server) })
    }

    fn given_url(&self) -> Result<Option<String>, TestingError> {
        match std::env::var(POSTGRES_URL) {
            _ if self.own => Ok(None),
            Ok(url) if url.is_empty() => Ok(None),
            Ok(url) => Ok(Some(url)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(error) => Err(TestingError::caused(POSTGRES_URL)(error)),
        }
    }

    async fn connect(&self, text: &str) -> Result<Server, TestingError> {
        let wrong = format!("{POSTGRES_URL} is not a URL like postgres://user:password@host:5432/postgres");
        let url = Url::parse(text).map_err(TestingError::caused(wrong))?;
        let admin = Login::from_url(&url).map_err(TestingError::caused(POSTGRES_URL))?;
        // The query could hold a password too.
        let origin = format!(
            "at {}://{}{}@{}:{} from {POSTGRES_URL}",
            url.scheme(),
            url.username(),
            if url.password().is_some() { ":***" } else { "" },
            url.host_str().unwrap_or_default(),
            url.port().unwrap_or(5432),
        );
        Server::connect(Background::start()?, admin, url, &origin, Keeper::Theirs, self.durable).await
    }

    async fn start_new(self) -> Result<Server, TestingError> {
        let directories = self.binaries.unwrap_or_else(binaries::usual_directories);
        let Some(binaries) = binaries::find(&directories).cloned() else {
            return without_binaries(&directories, self.durable).await;
        };
        let runtime = Background::start()?;
        let starting = async move { local::start(&binaries, self.durable, self.directory).await };
        let local = runtime.run(starting).await??;
        let keeper = Keeper::Ours(Box::new(Mutex::new(local.supervisor)));
        Server::connect(runtime, local.admin, local.url, &local.origin, keeper, self.durable).await
    }
}

#[cfg(feature = "docker")]
async fn without_binaries(directories: &[PathBuf], durable: bool) -> Result<Server, TestingError> {
    super::docker::start(durable).await.map_err(TestingError::caused(nothing_found(directories)))
}

#[cfg(not(feature = "docker"))]
async fn without_binaries(directories: &[PathBuf], _durable: bool) -> Result<Server, TestingError> {
    Err(TestingError::new(nothing_found(directories)))
}

fn nothing_found(directories: &[PathBuf]) -> String {
    let docker = if cfg!(feature = "docker") {
        "start Docker, which did not answer either"
    } else {
        "use Docker: give larder-testing the cargo feature `docker`"
    };
    let looked: Vec<String> = directories.iter().map(|directory| directory.display().to_string()).collect();
    let looked = if looked.is_empty() { "nowhere else".to_owned() } else { looked.join(", ") };
    format!(
        "PostgreSQL not found. Set {POSTGRES_URL} to the URL of a server and a user that may create databases, \
         or install it (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql), or {docker}. \
         {POSTGRES_URL} was not used; initdb and postgres were looked for in: {looked}"
    )
}
