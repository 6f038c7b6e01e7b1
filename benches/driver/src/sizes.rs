//! What a call costs against the size of the table.

use std::path::Path;

use contender::{Failure, Workload, protocol::Command};
use serde::Serialize;

use crate::{
    child::{Child, Ran},
    compare::prepare,
    contenders::{LARDER, build, on},
    database::{Database, Loaded, Size},
    options::Options,
    results::{Round, median},
};

/// What a call costs at one size.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cost {
    pub(crate) database: Database,
    pub(crate) workload: Workload,
    pub(crate) callers: usize,
    pub(crate) jobs: usize,
    /// Microseconds for an operation: the inverse of the rate, the median of the rounds.
    pub(crate) microseconds: f64,
    /// The size that it is compared with.
    pub(crate) base: usize,
    /// The cost as a multiple of that at the base.
    pub(crate) ratio: Option<f64>,
}

const WORKLOADS: [Workload; 5] =
    [Workload::Get, Workload::Page, Workload::DeepPage, Workload::Search, Workload::Claim1];

/// Larder's calls at all sizes, on one database. The same number of jobs is due at each.
pub(crate) async fn measure(
    database: Database,
    options: &Options,
    benches: &Path,
    directory: &Path,
) -> Result<Vec<Cost>, Failure> {
    let Some(larder) = on(database, options).into_iter().find(|entrant| entrant.name == LARDER) else {
        return Ok(Vec::new());
    };
    build(benches, std::slice::from_ref(&larder))?;
    let mut costs: Vec<Cost> = Vec::new();
    for jobs in options.sizes.iter().copied() {
        eprintln!("{}: loading {jobs} jobs", database.name());
        // A tenth of the jobs is one user's; all others have a hundred each.
        let size = Size { jobs: jobs - jobs / 10, messages: 0, long_list: jobs / 10 };
        let loaded = Loaded::load(database, size, directory).await?;
        let copy = loaded.copy().await?;
        let open = Command::Open {
            url: copy.url(),
            connections: options.connections,
            synchronous: database.synchronous().to_owned(),
            variant: larder.variant.clone(),
            keys: copy.keys(),
        };
        let mut child = Child::start(&larder.program(benches), &open).await?;
        for workload in WORKLOADS {
            for callers in [1, 64] {
                let mut rounds = Vec::new();
                for lap in 0..=options.rounds {
                    let run = prepare(workload, callers, options, &copy).await?;
                    match child.run(run).await {
                        Ran::Measured(measured) if lap > 0 => rounds.push(Round::new(lap, measured, None)),
                        Ran::Measured(_) => {}
                        Ran::Unsupported(error) | Ran::Failed(error) => {
                            return Err(format!("{} at {jobs} jobs: {error}", workload.name()).into());
                        }
                    }
                }
                let microseconds = median(rounds.iter().map(|round| 1e6 / round.rate).collect());
                let Some(microseconds) = microseconds else { continue };
                let base = costs.iter().find(|cost| (cost.workload, cost.callers) == (workload, callers));
                let ratio = base.map(|base| microseconds / base.microseconds);
                let base = base.map_or(jobs, |base| base.jobs);
                eprintln!(
                    "{} {} × {callers} at {jobs} jobs: {microseconds:.1} µs, {:.2} of the cost at {base}",
                    database.name(),
                    workload.name(),
                    ratio.unwrap_or(1.0)
                );
                costs.push(Cost { database, workload, callers, jobs, microseconds, base, ratio });
            }
        }
        child.end().await?;
        copy.close().await?;
    }
    Ok(costs)
}
