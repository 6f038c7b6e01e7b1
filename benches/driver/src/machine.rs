//! What it was measured on.

use std::{fmt::Write, fs, process::Command, thread};

use serde::Serialize;

use crate::{contenders::Entrant, results::Engine};

/// The machine and the versions of all that took part.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory: String,
    kernel: String,
    rustc: String,
    /// larder's commit.
    commit: String,
    /// Seconds since 1970.
    begun: u64,
    pub(crate) engines: Vec<Engine>,
    /// Contenders and the crates that they stand on, with versions.
    pub(crate) contenders: Vec<(String, Vec<(String, String)>)>,
    /// The command that printed all this.
    command: String,
}

impl Machine {
    /// This one.
    pub(crate) fn this() -> Self {
        let begun = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            processor: line_of("/proc/cpuinfo", "model name"),
            cores: thread::available_parallelism().map_or(0, usize::from),
            memory: line_of("/proc/meminfo", "MemTotal"),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            rustc: said(Command::new("rustc").arg("--version")),
            commit: said(Command::new("git").args(["describe", "--always", "--dirty"])),
            begun: begun.map_or(0, |time| time.as_secs()),
            command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
            ..Self::default()
        }
    }

    /// Adds contenders that are not named yet.
    pub(crate) fn add(&mut self, entrant: &Entrant, versions: Vec<(String, String)>) {
        if !self.contenders.iter().any(|(name, _)| name == entrant.peer) {
            self.contenders.push((entrant.peer.to_owned(), versions));
        }
    }

    /// As a list.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!(
            "`cargo run --release -- {}`, larder {}, {} ({} cores, {}), Linux {}, {}.\n\n",
            self.command, self.commit, self.processor, self.cores, self.memory, self.kernel, self.rustc
        );
        for engine in &self.engines {
            let who = engine.contender.as_deref().unwrap_or("database");
            let _ = writeln!(text, "- {} ({who}): {}", engine.database.name(), engine.version);
        }
        for (contender, crates) in &self.contenders {
            let crates: Vec<_> = crates.iter().map(|(name, version)| format!("{name} {version}")).collect();
            let _ = writeln!(text, "- {contender}: {}", crates.join(", "));
        }
        text
    }
}

/// What follows a word at the beginning of a line.
fn line_of(path: &str, word: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(word)).and_then(|line| line.split_once(':'));
    line.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

fn said(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}
