//! How a libSQL server is started.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
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

/// The file that holds the key to check tokens with.
const JWT_KEY: &str = "jwt.key";

/// Beyond its limit, which is 100, sqld closes databases while they are asked, and answers 404. Those of tests do not come
/// to this one.
const MANY_NAMESPACES: (&str, &str) = ("--max-active-namespaces", "100000");

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
        let key = random_hex()?;
        let directory = make_directory(&default_parent(false), &[(JWT_KEY, &tokens.public_key)], None)?;
        let path = directory.path().to_owned();
        let arguments = self.arguments(&program.path, &path, &key);
        let service = SqldService { key: key.clone() };
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
            is_authenticated: self.is_authenticated(),
            tokens,
            admin: ports.admin(key),
            replica_of: self.replica_of,
        };
        if server.replica_of.is_none() {
            server.create_namespace(OF_THE_ADDRESS).await?;
        }
        eprintln!("larder-testing: {}", server.origin);
        Ok(Sqld { server: Arc::new(server) })
    }

    fn is_authenticated(&self) -> bool {
        self.authenticated || self.replica_of.as_ref().is_some_and(|primary| primary.is_authenticated)
    }

    /// What `supervised.sh` is given.
    fn arguments(&self, program: &Path, directory: &Path, key: &str) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![program.into()];
        arguments
            .extend(["--enable-namespaces", "--no-welcome", "--admin-auth-key", key].map(OsString::from));
        if self.is_authenticated() {
            arguments.extend(["--auth-jwt-key-file".into(), directory.join(JWT_KEY).into()]);
        }
        if let Some(primary) = &self.replica_of {
            arguments.extend(["--primary-grpc-url".into(), primary.primary().ports.grpc_url().into()]);
        }
        let options = self.options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // sqld refuses an option that is given twice.
        let is_given = self.options.iter().any(|(name, _)| name == MANY_NAMESPACES.0);
        let options = options.chain((!is_given).then_some(MANY_NAMESPACES));
        arguments.extend(options.flat_map(|(name, value)| [name.into(), value.into()]));
        arguments
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
