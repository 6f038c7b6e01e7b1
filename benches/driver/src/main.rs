//! Builds all contenders, lets them take turns on the same databases, and says how larder compares.

mod alone;
mod child;
mod compare;
mod contenders;
mod database;
mod footprint;
mod goals;
mod machine;
mod memory;
mod options;
mod plot;
mod report;
mod results;
mod sizes;

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::ExitCode};

use contender::{Failure, Workload};
use serde::Serialize;

use crate::{
    alone::Alone,
    database::{Database, Size},
    footprint::Footprint,
    goals::Verdict,
    machine::Machine,
    memory::Memory,
    options::{Options, Part},
    results::{Cell, median},
    sizes::Cost,
};

/// All that a run gives.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Results {
    machine: Machine,
    options: Options,
    goals: Vec<Verdict>,
    cells: Vec<Cell>,
    costs: Vec<Cost>,
    memory: Vec<Memory>,
    /// Opening an embedded database and asking for pending migrations, in microseconds.
    open: Option<f64>,
    footprints: Vec<Footprint>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::read();
    let ended = tokio::select! {
        ended = run(options) => ended,
        // Returning ends the server and the contenders; the signal itself would not.
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Failure> {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    if options.list {
        for database in &options.database {
            let names: Vec<_> =
                contenders::on(*database, &options).iter().map(|entrant| entrant.name).collect();
            println!("{}: {}", database.name(), names.join(", "));
        }
        return Ok(());
    }
    let results = measure(options, &benches).await?;
    write(&results, &benches.join(&results.options.output))?;
    println!("\n{}", report::summary(&results));
    Ok(())
}

/// Writes the results as JSON, as Markdown and as plots.
fn write(results: &Results, output: &Path) -> Result<(), Failure> {
    fs::create_dir_all(output)?;
    fs::write(output.join("results.json"), serde_json::to_string_pretty(results)?)?;
    fs::write(output.join("results.md"), report::markdown(results))?;
    for database in results.options.database.iter().copied() {
        let cells: Vec<_> = results.cells.iter().filter(|cell| cell.database == database).collect();
        if !cells.is_empty() {
            let name = format!("ratios-{}.svg", database.name());
            fs::write(output.join(name), plot::ratios(database, &cells))?;
        }
        let costs: Vec<_> = results.costs.iter().filter(|cost| cost.database == database).collect();
        if !costs.is_empty() {
            let name = format!("sizes-{}.svg", database.name());
            fs::write(output.join(name), plot::costs(database, &costs))?;
        }
    }
    eprintln!("written to {}", output.display());
    Ok(())
}

async fn measure(options: Options, benches: &Path) -> Result<Results, Failure> {
    let parent = options.directory.clone().unwrap_or_else(std::env::temp_dir);
    // The server may run as another user, who has to get through.
    let passable = fs::Permissions::from_mode(0o755);
    let directory = tempfile::Builder::new().permissions(passable).tempdir_in(parent)?;
    let mut results = Results { machine: Machine::this(), options, ..Results::default() };
    let options = results.options.clone();
    let (part, directory) = (|part| options.part.contains(&part), directory.path());
    for database in options.database.iter().copied() {
        for entrant in contenders::on(database, &options) {
            let versions = entrant.versions(benches)?;
            results.machine.add(&entrant, versions);
        }
        if part(Part::Compare) {
            let (cells, engines) = compare::compare(database, &options, benches, directory).await?;
            results.cells.extend(cells);
            results.machine.engines.extend(engines);
        }
        // What follows is the same with either way of committing.
        if database == Database::SqliteFull {
            continue;
        }
        if part(Part::Sizes) {
            results.costs.extend(sizes::measure(database, &options, benches, directory).await?);
        }
        if part(Part::Memory) {
            results.memory.push(memory::measure(database, &options, benches, directory).await?);
        }
        if part(Part::Open) && database == Database::SqliteNormal {
            results.open = open(database, &options, benches, directory).await?;
        }
    }
    if part(Part::Footprint) {
        results.footprints = footprint::measure(benches, directory)?;
    }
    results.goals = goals::judge(&results.cells, &results.costs);
    Ok(results)
}

/// Opening an embedded database and asking for pending migrations, in microseconds: the median of a call.
async fn open(
    database: Database,
    options: &Options,
    benches: &Path,
    directory: &Path,
) -> Result<Option<f64>, Failure> {
    let size = Size { jobs: options.jobs, messages: 3, api_keys: true, long_list: 0 };
    let mut larder = Alone::start(database, size, options, benches, directory).await?;
    let rounds = larder.rounds(Workload::Open, 1, options).await?;
    larder.end().await?;
    let opening = median(rounds.iter().map(|round| round.p50).collect());
    eprintln!("open and pending migrations: {opening:?} µs");
    Ok(opening)
}
