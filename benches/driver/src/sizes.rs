//! What a call costs against the size of the table.

use std::path::Path;

use contender::{Failure, Workload};
use serde::Serialize;

use crate::{
    alone::Alone,
    database::{Database, Size},
    options::Options,
    results::median,
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
    /// The cost as a multiple of that at the base; `None` at the base.
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
    let mut costs: Vec<Cost> = Vec::new();
    for jobs in options.sizes.iter().copied() {
        // A tenth of the jobs is one user's; all others have a hundred each.
        let size = Size { jobs: jobs - jobs / 10, messages: 0, api_keys: false, long_list: jobs / 10 };
        let mut larder = Alone::start(database, size, options, benches, directory).await?;
        for workload in WORKLOADS {
            for callers in [1, 64] {
                let rounds = larder.rounds(workload, callers, options).await?;
                let cost = median(rounds.iter().map(|round| 1e6 / round.rate).collect());
                let base = costs.iter().find(|cost| (cost.workload, cost.callers) == (workload, callers));
                let microseconds = cost.ok_or("no rounds")?;
                let ratio = base.map(|base| microseconds / base.microseconds);
                let base = base.map_or(jobs, |base| base.jobs);
                costs.push(Cost { database, workload, callers, jobs, microseconds, base, ratio });
                eprintln!("{}", line(costs.last().ok_or("no cost")?));
            }
        }
        larder.end().await?;
    }
    Ok(costs)
}

fn line(cost: &Cost) -> String {
    format!(
        "{} {} × {} at {} jobs: {:.1} µs, {:.2} of the cost at {}",
        cost.database.name(),
        cost.workload.name(),
        cost.callers,
        cost.jobs,
        cost.microseconds,
        cost.ratio.unwrap_or(1.0),
        cost.base
    )
}
