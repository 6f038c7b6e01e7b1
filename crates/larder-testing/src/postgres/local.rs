//! Starting a server from the programs on this machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use url::Url;

use super::account::Account;
use super::login::Login;
use super::supervised::PostgresService;
use crate::TestingError;
use crate::place::{default_parent, make_directory, random_hex};
use crate::supervisor::Supervisor;

/// A server that we started.
pub(super) struct Local {
    pub(super) supervisor: Supervisor<PostgresService>,
    /// By the Unix socket, where no password is asked for: an administrator's connection costs no SCRAM exchange.
    pub(super) admin: Login,
    /// The way for tests: TCP, with the password.
    pub(super) url: Url,
    /// " started from …", to follow the version.
    pub(super) origin: String,
}

/// Makes a cluster in a directory of its own and runs a server on it.
pub(super) async fn start(
    binaries: &Path,
    durable: bool,
    parent: Option<PathBuf>,
) -> Result<Local, TestingError> {
    let account = Account::for_server()?;
    let parent = parent.unwrap_or_else(|| default_parent(durable));
    let password = random_hex()?;
    let owner = account.as_ref().map(|account| account.owner);
    let directory = make_directory(&parent, &[("password", &password)], owner)?;
    let mut arguments: Vec<OsString> = vec![binaries.into(), locale().into()];
    arguments.extend(options(durable).into_iter().map(OsString::from));
    let path = directory.path().to_owned();
    let mut supervisor = Supervisor::prepare(PostgresService, path, arguments, owner).await?;
    // From here on the supervisor removes it: it outlives us.
    let directory = directory.keep();
    supervisor.start().await?;

    let port = supervisor.ports().first().copied().unwrap_or_default();
    let url = Url::parse(&format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres"))
        .map_err(TestingError::caused("cannot write the server's URL"))?;
    let admin = Login::by_socket(&directory, port)?;
    let user = account.map(|account| format!(" (as user {})", account.name)).unwrap_or_default();
    let origin = format!("started from {}{user}", binaries.display());
    Ok(Local { supervisor, admin, url, origin })
}

/// A locale such as servers have in the field, where it is there: in C, sorting and ILIKE hide mistakes.
fn locale() -> String {
    let output = Command::new("locale").arg("-a").output().map(|output| output.stdout).unwrap_or_default();
    let names = String::from_utf8_lossy(&output).into_owned();
    let plain = |name: &str| name.to_lowercase().replace('-', "");
    ["en_us.utf8", "c.utf8"]
        .iter()
        .find_map(|wanted| names.lines().find(|name| plain(name) == *wanted))
        .unwrap_or("C")
        .to_owned()
}

pub(super) fn options(durable: bool) -> Vec<String> {
    let mut settings = vec!["listen_addresses=127.0.0.1", "max_connections=400", "shared_buffers=128MB"];
    if !durable {
        // Commits stay synchronous: without fsync that costs nothing, and what a killed server has confirmed is there
        // when it is started again. Autovacuum would only compete with the tests.
        settings.extend(["fsync=off", "full_page_writes=off", "autovacuum=off"]);
    }
    settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting.to_owned()]).collect()
}
