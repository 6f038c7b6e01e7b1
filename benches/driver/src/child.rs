//! A contender's process.

use std::{path::Path, process::Stdio, time::Duration};

use contender::{
    Failure,
    protocol::{Command, Measured, Reply, Run},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child as Process, ChildStdin, ChildStdout},
    time::timeout,
};

/// How long opening may take.
const OPENING: Duration = Duration::from_secs(60);
/// How much longer than its round a round may take: its last call may be a long one.
const GRACE: Duration = Duration::from_secs(120);

/// A running contender. It is killed when this is dropped.
pub(crate) struct Child {
    process: Process,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// The engine that is part of it, if it said so.
    pub(crate) engine: Option<String>,
}

/// What came of a round.
pub(crate) enum Ran {
    Measured(Measured),
    Unsupported(String),
    Failed(String),
}

impl Child {
    /// Starts a contender and lets it open its database.
    pub(crate) async fn start(program: &Path, open: &Command) -> Result<Self, Failure> {
        let mut process = tokio::process::Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a contender has no pipes".into());
        };
        let output = BufReader::new(output).lines();
        let mut child = Self { process, input, output, engine: None };
        match child.ask(open, OPENING).await? {
            Reply::Opened { engine } => child.engine = engine,
            Reply::Failed { error } => return Err(error.into()),
            other => return Err(format!("unexpected answer {other:?}").into()),
        }
        Ok(child)
    }

    /// Its process id, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Runs a round. A contender that doesn't answer has failed.
    pub(crate) async fn run(&mut self, run: Run) -> Ran {
        let patience = Duration::from_secs_f64(run.seconds) + GRACE;
        match self.ask(&Command::Run(run), patience).await {
            Ok(Reply::Measured(measured)) => Ran::Measured(measured),
            Ok(Reply::Unsupported { reason }) => Ran::Unsupported(reason),
            Ok(Reply::Failed { error }) => Ran::Failed(error),
            Ok(other) => Ran::Failed(format!("unexpected answer {other:?}")),
            Err(error) => Ran::Failed(error.to_string()),
        }
    }

    /// Lets it end by itself, so that what it holds open is closed in an orderly way.
    pub(crate) async fn end(mut self) -> Result<(), Failure> {
        drop(self.input);
        timeout(OPENING, self.process.wait()).await??;
        Ok(())
    }

    async fn ask(&mut self, command: &Command, patience: Duration) -> Result<Reply, Failure> {
        let mut line = serde_json::to_string(command)?;
        line.push('\n');
        self.input.write_all(line.as_bytes()).await?;
        let answer = timeout(patience, self.output.next_line()).await;
        let answer = answer.map_err(|_| "no answer in time")??;
        Ok(serde_json::from_str(&answer.ok_or("the contender ended")?)?)
    }
}
