//! A server in a container, for machines that have Docker and no PostgreSQL.

use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

use testcontainers::core::wait::LogWaitStrategy;
use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{GenericImage, ImageExt};
use url::Url;

use super::local::options;
use super::login::Login;
use super::server::{Keeper, Server};
use crate::TestingError;
use crate::background::Background;
use crate::place::random_hex;

const IMAGE: &str = "postgres";
const TAG: &str = "17";

/// Removes the container when this process ends, however it ends: its stdin is a pipe that only we hold.
pub(super) struct Reaper {
    child: Child,
    /// `None` only while dropped.
    pipe: Option<ChildStdin>,
}

impl Reaper {
    /// Before there is a container, so that there is none without a reaper: it finds the container by its name.
    fn start(name: &str) -> Result<Self, TestingError> {
        let script = "trap '' HUP INT PIPE TERM; \
                      while read -r _; do :; done; docker rm --force --volumes \"$1\"";
        let mut command = Command::new("sh");
        command.args(["-c", script, "reaper", name]).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(TestingError::caused("cannot run sh"))?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.pipe = None;
        let _ = self.child.wait();
    }
}

/// Starts a container and connects to its server.
pub(super) async fn start(durable: bool) -> Result<Server, TestingError> {
    let docker = Command::new("docker").arg("--version").stdout(Stdio::null()).status();
    docker.map_err(TestingError::caused("cannot run docker, which ends the container with the tests"))?;
    let runtime = Background::start()?;
    let name = format!("larder-testing-{}", random_hex()?);
    let password = random_hex()?;
    let reaper = Reaper::start(&name)?;
    let authority = runtime.run(run(name, password.clone(), durable)).await??;
    let url = Url::parse(&format!("postgres://postgres:{password}@{authority}/postgres"))
        .map_err(TestingError::caused("cannot write the container's URL"))?;
    let admin = Login::from_url(&url)?;
    let origin = format!("in Docker (image {IMAGE}:{TAG})");
    Server::connect(runtime, admin, url, &origin, Keeper::Docker { _reaper: reaper }, durable).await
}

/// Answers the server's `host:port`.
async fn run(name: String, password: String, durable: bool) -> Result<String, TestingError> {
    // Once for the server that sets the cluster up, once for the one that stays.
    let ready = LogWaitStrategy::stderr("database system is ready to accept connections").with_times(2);
    let mut arguments = options(durable);
    arguments.extend(["-c".to_owned(), "listen_addresses=*".to_owned()]);
    let container = GenericImage::new(IMAGE, TAG)
        .with_exposed_port(5432.tcp())
        .with_wait_for(WaitFor::log(ready))
        .with_container_name(name)
        .with_env_var("POSTGRES_PASSWORD", password)
        .with_cmd(arguments)
        .start()
        .await
        .map_err(TestingError::caused("cannot start PostgreSQL in Docker"))?;
    let host = container.get_host().await.map_err(TestingError::caused("cannot ask Docker for its host"))?;
    let port = container
        .get_host_port_ipv4(5432)
        .await
        .map_err(TestingError::caused("cannot ask Docker for the container's port"))?;
    // Its destructor panics outside a runtime, and does not run for a static: the reaper's work.
    std::mem::forget(container);
    Ok(format!("{host}:{port}"))
}
