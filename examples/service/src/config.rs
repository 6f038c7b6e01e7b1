//! What the service is told on its command line and in its environment.

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};
use larder::Secret;

/// The database when none is named: a libSQL file in the working directory.
const DEFAULT_DATABASE: &str = "file:service.db";

/// An HTTP service over jobs and messages. Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "job-service", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Config {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
    /// `file:…`, `postgres://…`, `libsql://…`, `memory:`; a file `service.db` in the working directory, when not set.
    #[arg(long, env = "DATABASE_URL", global = true, hide_env_values = true)]
    database_url: Option<DatabaseUrl>,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Serves the API and runs due jobs: what it does without a command.
    Serve(Serve),
    /// Creates a user and prints an API key, which nobody can see again.
    User(User),
}

/// How to serve.
#[derive(Debug, Clone, Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, env = "ADDRESS", default_value = "127.0.0.1:3000")]
    pub(crate) address: SocketAddr,
}

/// Whom to create.
#[derive(Debug, Clone, Args)]
pub(crate) struct User {
    /// The user's name.
    #[arg(long)]
    pub(crate) name: String,
    /// What the key allows; all there is, when not said.
    #[arg(long = "scope", value_parser = job_service::SCOPES, default_values = job_service::SCOPES)]
    pub(crate) scopes: Vec<String>,
}

/// A URL that may hold a password.
#[derive(Debug, Clone)]
struct DatabaseUrl(Secret);

impl From<String> for DatabaseUrl {
    fn from(url: String) -> Self {
        Self(url.into())
    }
}

impl Config {
    /// The command, and the URL of the database.
    pub(crate) fn into_parts(self) -> (Command, Secret) {
        let url = self.database_url.map_or_else(
            || {
                tracing::info!("DATABASE_URL is not set: the database is {DEFAULT_DATABASE}");
                DEFAULT_DATABASE.into()
            },
            |url| url.0,
        );
        (self.command.unwrap_or(Command::Serve(self.serve)), url)
    }
}
