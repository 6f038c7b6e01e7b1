//! Builds all contenders, lets them take turns on the same databases, and says how larder compares.

mod child;
mod compare;
mod contenders;
mod database;
mod goals;
mod machine;
mod options;
mod report;
mod results;
mod sizes;

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::ExitCode};

use contender::Failure;
use serde::Serialize;

use crate::{
    goals::Verdict,
    machine::Machine,
    options::{Options, Part},
    results::Cell,
    sizes::Cost,
};

/// All that a run gives.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    machine: Machine,
    options: Options,
    goals: Vec<Verdict>,
    cells: Vec<Cell>,
    costs: Vec<Cost>,
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
    let output = benches.join(&results.options.output);
    fs::create_dir_all(&output)?;
    fs::write(output.join("results.json"), serde_json::to_string_pretty(&results)?)?;
    fs::write(output.join("results.md"), report::markdown(&results))?;
    println!("\n{}", report::ratios(&results.cells.iter().collect::<Vec<_>>()));
    println!("{}", report::goals(&results.goals));
    println!("written to {}", output.display());
    Ok(())
}

async fn measure(options: Options, benches: &Path) -> Result<Results, Failure> {
    let parent = options.directory.clone().unwrap_or_else(std::env::temp_dir);
    // The server may run as another user, who has to get through.
    let passable = fs::Permissions::from_mode(0o755);
    let directory = tempfile::Builder::new().permissions(passable).tempdir_in(parent)?;
    let mut results = Results {
        machine: Machine::this(),
        options: options.clone(),
        goals: vec![],
        cells: vec![],
        costs: vec![],
    };
    for database in options.database.iter().copied() {
        for entrant in contenders::on(database, &options) {
            let versions = entrant.versions(benches)?;
            results.machine.add(&entrant, versions);
        }
        if options.part.contains(&Part::Compare) {
            let (cells, engines) = compare::compare(database, &options, benches, directory.path()).await?;
            results.cells.extend(cells);
            results.machine.engines.extend(engines);
        }
        // Reads are the same with either way of committing.
        if options.part.contains(&Part::Sizes) && database != database::Database::SqliteFull {
            results.costs.extend(sizes::measure(database, &options, benches, directory.path()).await?);
        }
    }
    results.goals = goals::judge(&results.cells, &results.costs);
    Ok(results)
}
