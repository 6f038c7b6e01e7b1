//! Memory over many operations.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use contender::{Failure, Workload, protocol::Run};
use serde::Serialize;
use tokio::time::interval;

use crate::{
    alone::Alone,
    child::{Child, Ran},
    database::{Database, Size},
    options::Options,
};

/// What larder's process held while it did many operations, the mix by 64 callers.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Memory {
    pub(crate) database: Database,
    pub(crate) operations: u64,
    pub(crate) seconds: f64,
    /// Seconds since the start, and resident memory in MiB.
    pub(crate) samples: Vec<(f64, f64)>,
}

impl Memory {
    /// Resident memory after a tenth of the time, at the end, and at most.
    pub(crate) fn summary(&self) -> Option<(f64, f64, f64)> {
        let warm = self.samples.iter().find(|(at, _)| *at >= self.seconds / 10.0)?.1;
        let last = self.samples.last()?.1;
        Some((warm, last, self.samples.iter().map(|sample| sample.1).fold(0.0, f64::max)))
    }
}

const SAMPLE: Duration = Duration::from_millis(100);
/// An end for a run that hangs.
const LONGEST: f64 = 1200.0;

pub(crate) async fn measure(
    database: Database,
    options: &Options,
    benches: &Path,
    directory: &Path,
) -> Result<Memory, Failure> {
    let size = Size { jobs: options.jobs, messages: 3, api_keys: true, long_list: 0 };
    let mut larder = Alone::start(database, size, options, benches, directory).await?;
    let process = larder.child.id().ok_or("the contender ended")?;
    let run = Run {
        workload: Workload::Mix,
        callers: 64,
        seconds: LONGEST,
        operations: Some(options.operations),
        keys: None,
    };
    let (ran, samples) = watch(&mut larder.child, process, run).await?;
    let Ran::Measured(measured) = ran else { return Err("the run that memory was watched in failed".into()) };
    larder.end().await?;
    let memory = Memory { database, operations: measured.operations, seconds: measured.seconds, samples };
    eprintln!("{} memory: {:?} MiB after a tenth, at the end, at most", database.name(), memory.summary());
    Ok(memory)
}

/// Runs a round and samples memory until it ends.
async fn watch(child: &mut Child, process: u32, run: Run) -> Result<(Ran, Vec<(f64, f64)>), Failure> {
    let (begun, mut samples, mut ticks) = (Instant::now(), Vec::new(), interval(SAMPLE));
    let running = child.run(run);
    tokio::pin!(running);
    loop {
        tokio::select! {
            ran = &mut running => return Ok((ran, samples)),
            _ = ticks.tick() => samples.push((begun.elapsed().as_secs_f64(), resident(process)?)),
        }
    }
}

/// Resident memory of a process in MiB.
fn resident(process: u32) -> Result<f64, Failure> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}
