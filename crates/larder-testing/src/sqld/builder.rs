//! How a libSQL server is started.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::Sqld;
use super::program::Program;
use super::server::Server;
use super::supervised::{Ports, SqldService};
use super::tokens::Tokens;
use crate::TestingError;
use crate::background::Background;
use crate::place::{default_parent, make_directory, random_hex};
use crate::supervisor::Supervisor;

/// The namespace of [`Sqld::url`].
const OF_THE_ADDRESS: &str = "127";

/// How a server is started; [`Sqld::builder`] begins one.
#[derive(Default)]
pub struct SqldBuilder {
    authenticated: bool,
    replica_of: Option<Arc<Server>>,
    options: Vec<(String, String)>,
}

impl SqldBuilder {
    /// Takes nobody in without a token that a key of this server has signed: [`Sqld::token`] and its neighbours.
    #[must_use]
    pub fn authenticated(mut self) -> Self {
        self.authenticated = true;
        self
    }

    /// Makes it a replica: it reads in place, what `primary` has sent it, and hands writes on. It keeps the primary
    /// running, and takes its tokens, [authenticated](Self::authenticated) if the primary is.
    #[must_use]
    pub fn replica_of(mut self, primary: &Sqld) -> Self {
        self.replica_of = Some(Arc::clone(&primary.server));
        self
    }

    /// One more option of sqld's command line, such as `--max-response-size` and `1MB`.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.push((name.into(), value.into()));
        self
    }

    /// Starts the server, and says on stderr which it took.
    ///
    /// # Errors
    /// When there is no program and none can be fetched, with what to do; when the server does not start, with the end
    /// of its log.
    pub async fn start(self) -> Result<Sqld, TestingError> {
        let program = tokio::task::spawn_blocking(Program::find)
            .await
            .map_err(TestingError::caused("cannot look for sqld"))??;
        let tokens = match &self.replica_of {
            Some(primary) => Arc::clone(&primary.tokens),
            None => Arc::new(Tokens::new()?),
        };
        let is_authenticated =
            self.authenticated || self.replica_of.as_ref().is_some_and(|it| it.is_authenticated);
        let key = random_hex()?;

        let directory = make_directory(&default_parent(false), &[("jwt.key", &tokens.public_key)], None)?;
        let mut arguments: Vec<OsString> = vec![program.path.into()];
        arguments
            .extend(["--enable-namespaces", "--no-welcome", "--admin-auth-key", &key].map(OsString::from));
        if is_authenticated {
            arguments.extend(["--auth-jwt-key-file".into(), directory.path().join("jwt.key").into()]);
        }
        if let Some(primary) = &self.replica_of {
            arguments.extend(["--primary-grpc-url".into(), primary.primary().ports.grpc_url().into()]);
        }
        arguments.extend(self.options.into_iter().flat_map(|(name, value)| [name.into(), value.into()]));
        let service = SqldService { key: key.clone() };
        let path = directory.path().to_owned();
        let mut supervisor = Supervisor::prepare(service, path, arguments, None).await?;
        // From here on the supervisor removes it: it outlives us.
        let _ = directory.keep();
        supervisor.start().await?;

        let ports =
            Ports::new(supervisor.ports()).ok_or_else(|| TestingError::new("sqld listens nowhere"))?;
        let server = Server {
            runtime: Background::start()?,
            supervisor: Mutex::new(supervisor),
            ports,
            origin: program.origin,
            tokens,
            is_authenticated,
            admin: ports.admin(key),
            replica_of: self.replica_of,
        };
        if server.replica_of.is_none() {
            server.create_namespace(OF_THE_ADDRESS).await?;
        }
        eprintln!("larder-testing: {}", server.origin);
        Ok(Sqld { server: Arc::new(server) })
    }
}

// The primary holds tokens.
impl fmt::Debug for SqldBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqldBuilder")
            .field("authenticated", &self.authenticated)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
