//! Starting a server from the programs on this machine.

use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use url::Url;

use super::account::Account;
use super::login::Login;
use super::supervisor::Supervisor;
use crate::TestingError;

/// A server that we started.
pub(super) struct Local {
    pub(super) supervisor: Supervisor,
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
    let directory = make_directory(&parent, &password, account.as_ref())?;
    let path = directory.path().to_owned();
    let mut supervisor =
        Supervisor::prepare(path, binaries, &locale(), &options(durable), account.as_ref()).await?;
    // From here on the supervisor removes it: it outlives us.
    let directory = directory.keep();
    supervisor.start().await?;

    let port = supervisor.port();
    let url = Url::parse(&format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres"))
        .map_err(TestingError::caused("cannot write the server's URL"))?;
    let admin = Login::by_socket(&directory, port)?;
    let user = account.map(|account| format!(" (as user {})", account.name)).unwrap_or_default();
    let origin = format!("started from {}{user}", binaries.display());
    Ok(Local { supervisor, admin, url, origin })
}

/// Text that nobody guesses, for passwords and names.
pub(super) fn random_hex() -> Result<String, TestingError> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(TestingError::caused("cannot read /dev/urandom"))?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}

/// Memory when nothing has to last: making a database is making 300 files, and disks were seen to take 100 ms for
/// that. A container may have a /dev/shm of 64 MB, though, which is one database.
fn default_parent(durable: bool) -> PathBuf {
    const ENOUGH_KIB: u64 = 2 * 1024 * 1024;
    let memory = Path::new("/dev/shm");
    if !durable && free_kib(memory).is_some_and(|free| free >= ENOUGH_KIB) {
        return memory.to_owned();
    }
    std::env::temp_dir()
}

fn free_kib(path: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(path).output().ok()?;
    String::from_utf8(output.stdout).ok()?.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

fn make_directory(
    parent: &Path,
    password: &str,
    account: Option<&Account>,
) -> Result<tempfile::TempDir, TestingError> {
    let context = || format!("cannot make a directory for the server in {}", parent.display());
    let make = || {
        let directory = tempfile::Builder::new().prefix("larder-testing-").tempdir_in(parent)?;
        let path = directory.path();
        std::fs::write(path.join("password"), password)?;
        std::fs::write(path.join("log"), "")?;
        std::fs::set_permissions(path.join("password"), Permissions::from_mode(0o600))?;
        if let Some(account) = account {
            for path in [path.to_owned(), path.join("password"), path.join("log")] {
                chown(path, Some(account.uid), Some(account.gid))?;
            }
        }
        Ok::<_, std::io::Error>(directory)
    };
    make().map_err(TestingError::caused(context()))
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
