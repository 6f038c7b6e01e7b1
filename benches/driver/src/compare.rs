//! The comparison: contenders take turns in rounds.

use std::path::Path;

use contender::{
    Failure, Kind, Workload,
    protocol::{Command, Run},
};

use crate::{
    child::{Child, Ran},
    contenders::{Entrant, build, on},
    database::{Copy, Database, Loaded, Size},
    options::Options,
    results::{Cell, Engine, Entry, Outcome, Round},
};

/// Everything on one database. Cells go to `cells` as they are measured.
pub(crate) async fn compare(
    database: Database,
    options: &Options,
    benches: &Path,
    directory: &Path,
) -> Result<(Vec<Cell>, Vec<Engine>), Failure> {
    let entrants = on(database, options);
    let unbuilt = build(benches, &entrants)?;
    let size = Size { jobs: options.jobs, messages: 3, api_keys: true, long_list: 0 };
    eprintln!("{}: loading {} jobs", database.name(), options.jobs);
    let loaded = Loaded::load(database, size, directory).await?;
    let mut engines = vec![Engine { database, contender: None, version: loaded.version() }];
    let mut cells = Vec::new();
    for workload in options.workload.iter().copied() {
        // Reads don't commit: once is enough.
        if database == Database::SqliteFull && !workload.writes() {
            continue;
        }
        let mut comparison =
            Comparison { database, options, workload, copy: loaded.copy().await?, lanes: vec![] };
        for entrant in &entrants {
            let failed = unbuilt.iter().find(|(name, _)| *name == entrant.name).map(|(_, why)| why.clone());
            let lane = comparison.enter(benches, entrant, failed).await;
            engines.extend(lane.engine(database));
            comparison.lanes.push(lane);
        }
        for callers in callers(workload, options) {
            let cell = comparison.measure(callers).await?;
            eprintln!("{}", cell.line());
            cells.push(cell);
        }
        comparison.end().await?;
    }
    engines.sort();
    engines.dedup();
    Ok((cells, engines))
}

/// One caller writes in bulk; everything else is done by as many as are asked for.
fn callers(workload: Workload, options: &Options) -> Vec<usize> {
    if workload == Workload::Bulk { vec![1] } else { options.callers.clone() }
}

/// One workload on one database.
struct Comparison<'a> {
    database: Database,
    options: &'a Options,
    workload: Workload,
    copy: Copy,
    lanes: Vec<Lane>,
}

/// A contender in it: running, or why not.
struct Lane {
    entrant: Entrant,
    child: Result<Child, Outcome>,
}

impl Lane {
    fn engine(&self, database: Database) -> Option<Engine> {
        let version = self.child.as_ref().ok()?.engine.clone()?;
        Some(Engine { database, contender: Some(self.entrant.name.to_owned()), version })
    }
}

impl Comparison<'_> {
    async fn enter(&self, benches: &Path, entrant: &Entrant, unbuilt: Option<String>) -> Lane {
        let open = Command::Open {
            url: self.copy.url(),
            connections: self.options.connections,
            synchronous: self.database.synchronous().to_owned(),
            variant: entrant.variant.clone(),
            keys: self.copy.keys(),
        };
        let child = match unbuilt {
            Some(reason) => Err(Outcome::Unsupported { reason }),
            None => Child::start(&entrant.program(benches), &open)
                .await
                .map_err(|error| Outcome::Failed { error: error.to_string() }),
        };
        Lane { entrant: entrant.clone(), child }
    }

    /// All rounds with this many callers. The first of each contender warms it up and is not counted.
    async fn measure(&mut self, callers: usize) -> Result<Cell, Failure> {
        let mut outcomes: Vec<Outcome> = self
            .lanes
            .iter()
            .map(|lane| match &lane.child {
                Ok(_) => Outcome::Measured { rounds: Vec::new() },
                Err(outcome) => outcome.clone(),
            })
            .collect();
        for lap in 0..=self.options.rounds {
            for (lane, outcome) in self.lanes.iter_mut().zip(&mut outcomes) {
                let (Ok(child), Outcome::Measured { rounds }) = (&mut lane.child, &mut *outcome) else {
                    continue;
                };
                let run = prepare(self.workload, callers, self.options, &self.copy).await?;
                let before = self.copy.server_cpu();
                match child.run(run).await {
                    Ran::Measured(measured) if lap > 0 => {
                        let server = before.zip(self.copy.server_cpu()).map(|(before, after)| after - before);
                        rounds.push(Round::new(lap, measured, server));
                    }
                    Ran::Measured(_) => {}
                    Ran::Unsupported(reason) => *outcome = Outcome::Unsupported { reason },
                    Ran::Failed(error) => *outcome = Outcome::Failed { error },
                }
            }
        }
        let entries = self.lanes.iter().zip(outcomes).map(|(lane, outcome)| Entry {
            contender: lane.entrant.name.to_owned(),
            peer: lane.entrant.peer.to_owned(),
            outcome,
        });
        Ok(Cell::new(self.database, self.workload, callers, entries.collect()))
    }

    async fn end(self) -> Result<(), Failure> {
        for lane in self.lanes {
            if let Ok(child) = lane.child {
                child.end().await?;
            }
        }
        self.copy.close().await
    }
}

/// Prepares the next round, outside of what is measured.
pub(crate) async fn prepare(
    workload: Workload,
    callers: usize,
    options: &Options,
    copy: &Copy,
) -> Result<Run, Failure> {
    let mut run = Run { workload, callers, seconds: options.seconds, operations: None, keys: None };
    // A backlog is worked off to its end, so that all contenders do the same; how long one of the slow ones may take
    // is limited.
    match workload.kind() {
        Kind::Timed => {}
        Kind::Keyed => {
            run.keys = Some(copy.stock(backlog(workload, callers, options)).await?);
            run.seconds = options.seconds * 10.0;
        }
        Kind::Backlog => {
            let due = copy.make_due(backlog(workload, callers, options)).await?;
            run.operations = Some(due);
            run.seconds = options.seconds * 10.0;
        }
    }
    Ok(run)
}

/// How many jobs a round uses up: what a program by hand does in about the time of a round.
fn backlog(workload: Workload, callers: usize, options: &Options) -> usize {
    let in_second = match (workload, callers) {
        (Workload::Claim32, _) => 20_000.0,
        (_, 1) => 2_000.0,
        _ => 6_000.0,
    };
    ((in_second * options.seconds) as usize).clamp(1, options.jobs)
}
