//! This program again, as another process: it runs one of its own tests, which does nothing unless it is told a database.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

/// Tells the test which database to use.
pub(crate) const URL: &str = "LARDER_FAULTS_URL";

/// Before what a process tells its parent.
const TOLD: &str = "told: ";

/// Tells the parent something: one line.
pub(crate) fn tell(what: impl std::fmt::Display) {
    println!("{TOLD}{what}");
}

/// A process that runs one test; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct TestProcess(Child);

impl TestProcess {
    /// Starts the test, with a variable of its environment more, and gives what it tells, line by line, until it ends.
    pub(crate) fn start(
        test: &str,
        url: &str,
        more: (&str, String),
    ) -> (Self, impl Iterator<Item = String> + use<>) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
        command.env(URL, url).env(more.0, more.1).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = child.stdout.take().unwrap();
        (Self(child), told(output))
    }

    /// Kills it (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
    }

    /// Waits until it has ended.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        // It fails when the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn told(output: ChildStdout) -> impl Iterator<Item = String> {
    // The test harness may have written before it on the same line.
    let told = |line: String| line.split_once(TOLD).map(|(_, told)| told.to_owned());
    BufReader::new(output).lines().map(Result::unwrap).filter_map(told)
}
