//! The shell that runs a server for us, and ends it when we end.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::account::Account;
use crate::{TestingError, poll_until};

/// Generous, for machines that are busy with other tests: only a server that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server's supervisor; see `supervisor.sh` for the other side of the talk.
pub(super) struct Supervisor {
    child: Child,
    /// `None` only while dropped. When the pipe closes, the supervisor ends the server and removes the directory.
    orders: Option<ChildStdin>,
    answers: UnboundedReceiver<Answer>,
    directory: PathBuf,
    port: u16,
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

impl Supervisor {
    /// Starts the shell, which makes a database cluster in `directory`; [`start`](Self::start) then runs the server.
    pub(super) async fn prepare(
        directory: PathBuf,
        binaries: &Path,
        locale: &str,
        options: &[String],
        account: Option<&Account>,
    ) -> Result<Self, TestingError> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(include_str!("supervisor.sh")).arg("supervisor");
        command.arg(&directory).arg(binaries).arg(locale).args(options);
        // The environment could hold PGOPTIONS, a locale and the like. C, as we look for words in the log.
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("LC_ALL", "C");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).current_dir("/");
        // Ctrl-C is for the tests; the supervisor sees them end and cleans up.
        command.process_group(0);
        if let Some(account) = account {
            command.uid(account.uid).gid(account.gid);
        }
        let mut child = command.spawn().map_err(TestingError::caused("cannot run sh"))?;
        let (sender, answers) = unbounded_channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || listen(stdout, &sender));
        }
        let orders = child.stdin.take();
        let mut supervisor = Self { child, orders, answers, directory, port: 0, running: None };
        match supervisor.answer().await? {
            Answer::Prepared => Ok(supervisor),
            _ => Err(supervisor.failed(&format!("{} failed", binaries.join("initdb").display()))),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Runs the server, on the port that it had before if it had one; does nothing when it runs.
    pub(super) async fn start(&mut self) -> Result<(), TestingError> {
        const ATTEMPTS: u32 = 20;
        let first = self.port == 0;
        for _ in 0..ATTEMPTS {
            if self.running.is_some() {
                return Ok(());
            }
            if first {
                self.port = free_port()?;
            }
            let logged_before = self.log().len();
            self.order(&format!("start {}", self.port))?;
            let Answer::Started(pid) = self.answer().await? else {
                return Err(self.failed("the server did not start"));
            };
            if self.until_ready(pid).await? {
                self.running = Some(pid);
                return Ok(());
            }
            // The port, taken since we looked; or, after a kill, the shared memory of processes not gone yet.
            if !self.log().get(logged_before..).is_some_and(|log| log.contains("in use")) {
                return Err(self.failed("the server did not start"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(self.failed(&format!("the server did not start in {ATTEMPTS} attempts")))
    }

    /// Sends INT (an orderly stop), KILL (to every process of the server) and waits for the end.
    pub(super) async fn end(&mut self, signal: &str) -> Result<(), TestingError> {
        if self.running.is_none() {
            return Ok(());
        }
        self.order(&format!("signal {signal}"))?;
        while !matches!(self.answer().await?, Answer::Exited) {}
        self.running = None;
        Ok(())
    }

    /// Sends STOP or CONT to every process of the server.
    pub(super) async fn signal(&mut self, signal: &str) -> Result<(), TestingError> {
        self.order_signal(signal).await
    }

    /// Sends a signal to one process of the server; to none, when it has no such process.
    pub(super) async fn signal_backend(&mut self, signal: &str, pid: u32) -> Result<(), TestingError> {
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
        let lock = self.directory.join("data/postmaster.pid");
        let answers = &mut self.answers;
        let ready =
            poll_until(PATIENCE, "PostgreSQL is ready", || async { is_ready(&lock, pid).then_some(()) });
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
        TestingError::new(format!("PostgreSQL: {what}; the end of its log:\n{}", last.join("\n")))
    }
}

impl Drop for Supervisor {
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

/// Reads the lock file, which says whose it is in line 1 and the state in line 8: asking by connecting would fill the
/// log with refusals.
fn is_ready(lock: &Path, pid: u32) -> bool {
    let Ok(text) = std::fs::read_to_string(lock) else { return false };
    let mut lines = text.lines();
    let ours = lines.next().is_some_and(|line| line == pid.to_string());
    ours && lines.nth(6).is_some_and(|state| state.trim_end() == "ready")
}

/// A port that is free now; whether it still is when the server asks for it shows then.
fn free_port() -> Result<u16, TestingError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(TestingError::caused("no free port on 127.0.0.1"))
}
