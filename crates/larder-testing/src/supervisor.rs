//! The shell that runs a server for us, and ends it when we end.

use std::ffi::OsString;
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::place::{Owner, free_ports};
use crate::{TestingError, poll_until};

/// Generous, for machines that are busy with other tests: only a server that hangs meets it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What differs between the servers.
pub(crate) trait Service: Send {
    const NAME: &'static str;
    /// The server's own part of the shell's script; see `supervisor.sh`.
    const SCRIPT: &'static str;
    /// How many ports it listens on.
    const PORTS: usize;
    /// The signal that asks for an orderly end.
    const STOP: &'static str;

    /// Does the process `pid`, and no other, answer on these ports?
    fn is_ready(&self, directory: &Path, pid: u32, ports: &[u16]) -> impl Future<Output = bool> + Send;
}

/// A server's supervisor; see `supervisor.sh` for the other side of the talk.
pub(crate) struct Supervisor<S> {
    service: S,
    child: Child,
    /// `None` only while dropped. When the pipe closes, the supervisor ends the server and removes the directory.
    orders: Option<ChildStdin>,
    answers: UnboundedReceiver<Answer>,
    directory: PathBuf,
    /// Empty before the first start.
    ports: Vec<u16>,
    /// The server's process id while it runs.
    running: Option<u32>,
}

enum Answer {
    Prepared,
    Started(u32),
    Signalled,
    Exited,
}

impl Answer {
    fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "prepared" => Some(Self::Prepared),
            "started" => rest.parse().ok().map(Self::Started),
            "signalled" => Some(Self::Signalled),
            "exited" => Some(Self::Exited),
            _ => None,
        }
    }
}

impl<S: Service> Supervisor<S> {
    /// Starts the shell, which prepares `directory` and removes it in the end; [`start`](Self::start) then runs the server.
    pub(crate) async fn prepare(
        service: S,
        directory: PathBuf,
        arguments: impl IntoIterator<Item = OsString>,
        owner: Option<Owner>,
    ) -> Result<Self, TestingError> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{}{}", S::SCRIPT, include_str!("supervisor.sh"))).arg("supervisor");
        command.arg(&directory).args(arguments);
        // The environment could hold PGOPTIONS, a locale and the like. C, as we look for words in the log.
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("LC_ALL", "C");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).current_dir("/");
        // Ctrl-C is for the tests; the supervisor sees them end and cleans up.
        command.process_group(0);
        if let Some(owner) = owner {
            command.uid(owner.uid).gid(owner.gid);
        }
        let mut child = command.spawn().map_err(TestingError::caused("cannot run sh"))?;
        let (sender, answers) = unbounded_channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || listen(stdout, &sender));
        }
        let orders = child.stdin.take();
        let ports = Vec::new();
        let mut supervisor = Self { service, child, orders, answers, directory, ports, running: None };
        match supervisor.answer().await? {
            Answer::Prepared => Ok(supervisor),
            _ => Err(supervisor.failed("its data could not be prepared")),
        }
    }

    /// [`Service::PORTS`] of them, once it was started; they stay the same.
    pub(crate) fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Runs the server, on the ports that it had before if it had any; does nothing when it runs.
    pub(crate) async fn start(&mut self) -> Result<(), TestingError> {
        const ATTEMPTS: u32 = 20;
        let first = self.ports.is_empty();
        for _ in 0..ATTEMPTS {
            if self.running.is_some() {
                return Ok(());
            }
            if first {
                self.ports = free_ports(S::PORTS)?;
            }
            let logged_before = self.log().len();
            let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
            self.order(&format!("start {}", ports.join(" ")))?;
            let Answer::Started(pid) = self.answer().await? else {
                return Err(self.failed("the server did not start"));
            };
            if self.until_ready(pid).await? {
                self.running = Some(pid);
                return Ok(());
            }
            // A port, taken since we looked; or, after a kill, the shared memory of processes not gone yet.
            if !self.log().get(logged_before..).is_some_and(|log| log.contains("in use")) {
                return Err(self.failed("the server did not start"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(self.failed(&format!("the server did not start in {ATTEMPTS} attempts")))
    }

    /// Stops the server in an orderly way, and waits for the end.
    pub(crate) async fn stop(&mut self) -> Result<(), TestingError> {
        self.end(S::STOP).await
    }

    /// Kills every process of the server, and waits for the end.
    pub(crate) async fn kill(&mut self) -> Result<(), TestingError> {
        self.end("KILL").await
    }

    async fn end(&mut self, signal: &str) -> Result<(), TestingError> {
        if self.running.is_none() {
            return Ok(());
        }
        self.order(&format!("signal {signal}"))?;
        while !matches!(self.answer().await?, Answer::Exited) {}
        self.running = None;
        Ok(())
    }

    /// Sends STOP or CONT to every process of the server.
    pub(crate) async fn signal(&mut self, signal: &str) -> Result<(), TestingError> {
        self.order_signal(signal).await
    }

    /// Sends a signal to one process of the server; to none, when it has no such process.
    pub(crate) async fn signal_backend(&mut self, signal: &str, pid: u32) -> Result<(), TestingError> {
        self.order_signal(&format!("{signal} {pid}")).await
    }

    async fn order_signal(&mut self, signal: &str) -> Result<(), TestingError> {
        if self.running.is_none() {
            return Err(TestingError::new("the server is stopped: restart it first"));
        }
        self.order(&format!("signal {signal}"))?;
        match self.answer().await? {
            Answer::Signalled => Ok(()),
            _ => Err(self.failed("the server has ended by itself")),
        }
    }

    /// False when the server exits instead.
    async fn until_ready(&mut self, pid: u32) -> Result<bool, TestingError> {
        let (service, directory, ports) = (&self.service, &self.directory, &self.ports);
        let answers = &mut self.answers;
        let ready = poll_until(PATIENCE, "the server is ready", || async {
            service.is_ready(directory, pid, ports).await.then_some(())
        });
        tokio::select! {
            _ = answers.recv() => Ok(false),
            ready = ready => ready.map(|()| true),
        }
    }

    fn order(&mut self, order: &str) -> Result<(), TestingError> {
        let written = match &mut self.orders {
            Some(orders) => writeln!(orders, "{order}"),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        };
        written.map_err(TestingError::caused("the server's supervisor is gone"))
    }

    async fn answer(&mut self) -> Result<Answer, TestingError> {
        match timeout(PATIENCE, self.answers.recv()).await {
            Ok(Some(answer)) => {
                if matches!(answer, Answer::Exited) {
                    self.running = None;
                }
                Ok(answer)
            }
            Ok(None) => Err(self.failed("the server's supervisor is gone")),
            Err(_) => Err(self.failed(&format!("the server's supervisor did not answer in {PATIENCE:?}"))),
        }
    }

    fn log(&self) -> String {
        std::fs::read(self.directory.join("log"))
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    fn failed(&self, what: &str) -> TestingError {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(15)..];
        TestingError::new(format!("{}: {what}; the end of its log:\n{}", S::NAME, last.join("\n")))
    }
}

impl<S> Drop for Supervisor<S> {
    fn drop(&mut self) {
        self.orders = None;
        // So that no server is left when the test is over: this takes some ten milliseconds.
        let _ = self.child.wait();
    }
}

fn listen(stdout: ChildStdout, answers: &UnboundedSender<Answer>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        if let Some(answer) = Answer::parse(&line) {
            // Nobody listens any more once the supervisor is being dropped; the pipe is read to its end all the same.
            let _ = answers.send(answer);
        }
    }
}
