//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use contender::Workload;
use serde::Serialize;

use crate::database::Database;

/// Compares larder with other libraries on the same databases, and prints the ratios against the goals.
///
/// Without options it measures everything; each option narrows that down.
#[derive(Debug, Clone, Default, Parser, Serialize)]
pub(crate) struct Options {
    /// On which databases.
    #[arg(long, value_delimiter = ',', value_enum)]
    pub(crate) database: Vec<Database>,
    /// Which workloads of the comparison.
    #[arg(long, value_delimiter = ',', value_enum)]
    pub(crate) workload: Vec<Workload>,
    /// Which peers, by a part of their names; larder always takes part. `--list` names them.
    #[arg(long, value_delimiter = ',')]
    pub(crate) contender: Vec<String>,
    /// With how many callers at once.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    pub(crate) callers: Vec<usize>,
    /// How many measured rounds each contender has; one more before them is not counted.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// How long a round takes, in seconds. Rounds that use up a backlog have one of a size to match.
    #[arg(long, default_value_t = 0.3)]
    pub(crate) seconds: f64,
    /// How many jobs there are; a hundredth as many users, three times as many messages.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) jobs: usize,
    /// The connections of a pool.
    #[arg(long, default_value_t = 8)]
    pub(crate) connections: u32,
    /// Which parts; all without it, or the comparison alone when it is narrowed down.
    #[arg(long, value_delimiter = ',', value_enum)]
    pub(crate) part: Vec<Part>,
    /// The sizes, in jobs, at which the cost of a call is measured; the first is what the others are compared with.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    pub(crate) sizes: Vec<usize>,
    /// The number of operations over which memory is watched.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) operations: u64,
    /// Where databases are put; otherwise the directory for temporary files. On a `tmpfs` durability costs nothing.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
    /// Where the results are put.
    #[arg(long, default_value = "target/results")]
    pub(crate) output: PathBuf,
    /// A look at everything in a few minutes: small and short, so its figures mean little.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Options for larder's URL on PostgreSQL.
    #[arg(long, default_value = "lanes=on")]
    pub(crate) larder_postgres: String,
    /// Options for larder's URL on a file.
    #[arg(long, default_value = "")]
    pub(crate) larder_file: String,
    /// Names the contenders and ends.
    #[arg(long)]
    pub(crate) list: bool,
}

/// A part of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Part {
    /// The comparison with the peers.
    Compare,
    /// The cost of a call against the size of the table.
    Sizes,
    /// Memory over many operations.
    Memory,
    /// Opening an embedded database and asking for pending migrations.
    Open,
    /// Size and build time of a program that uses larder with one backend.
    Footprint,
}

impl Options {
    /// The options as given, the rest filled in.
    pub(crate) fn read() -> Self {
        let mut options = Self::parse();
        let narrowed = !(options.workload.is_empty() && options.contender.is_empty());
        if options.part.is_empty() {
            options.part = if narrowed { vec![Part::Compare] } else { Part::value_variants().to_vec() };
        }
        if options.database.is_empty() {
            options.database = Database::value_variants().to_vec();
        }
        if options.workload.is_empty() {
            options.workload = Workload::COMPARED.to_vec();
        }
        if options.quick {
            options.make_quick();
        }
        options
    }

    fn make_quick(&mut self) {
        self.rounds = self.rounds.min(3);
        self.seconds = self.seconds.min(0.2);
        self.jobs = self.jobs.min(10_000);
        self.operations = self.operations.min(100_000);
        self.callers.retain(|callers| *callers != 16);
        self.sizes.retain(|size| *size <= 100_000);
        self.part.retain(|part| *part != Part::Footprint);
    }
}
