//! The results as Markdown.

use std::fmt::Write;

use crate::{
    Results,
    database::Database,
    footprint::Footprint,
    goals::Verdict,
    results::{Cell, Entry, Outcome, Round},
};

/// The table of goals: those that were measured, and how many were not.
fn goals(verdicts: &[Verdict]) -> String {
    let mut text = String::from("| | callers | goal | measured | |\n|---|---|---|---|---|\n");
    for verdict in verdicts.iter().filter(|verdict| verdict.reached.is_some()) {
        let measured = verdict.measured.map_or("–".to_owned(), |value| format!("{value:.2}"));
        let reached = match verdict.reached {
            Some(true) => "reached",
            _ => "NOT reached",
        };
        let Verdict { what, callers, goal, .. } = verdict;
        let _ = writeln!(text, "| {what} | {callers} | {} | {measured} | {reached} |", goal.text());
    }
    let count = |of: Option<bool>| verdicts.iter().filter(|verdict| verdict.reached == of).count();
    let (reached, missed, open) = (count(Some(true)), count(Some(false)), count(None));
    let _ =
        writeln!(text, "\n{reached} goals reached, {missed} not reached, {open} not measured in this run.");
    text
}

/// All of it.
pub(crate) fn markdown(results: &Results) -> String {
    let mut text = format!("# Results\n\n{}\n", results.machine.markdown());
    let _ = writeln!(text, "## Goals\n\n{}", goals(&results.goals));
    for database in databases(&results.cells) {
        let cells: Vec<_> = results.cells.iter().filter(|cell| cell.database == database).collect();
        let _ = writeln!(text, "## Ratios on {}\n\n{}", database.name(), ratios(&cells));
        let _ = writeln!(text, "## All figures on {}\n\n{}", database.name(), figures(&cells));
    }
    if !results.costs.is_empty() {
        let _ = writeln!(text, "## Cost against size\n\n{}", costs(results));
    }
    text.push_str(&others(results));
    text
}

fn databases(cells: &[Cell]) -> Vec<Database> {
    let mut databases: Vec<_> = cells.iter().map(|cell| cell.database).collect();
    databases.dedup();
    databases
}

/// Workloads by contenders: the medians of ratios, the least and the greatest.
fn ratios(cells: &[&Cell]) -> String {
    let mut contenders: Vec<&str> = Vec::new();
    for entry in cells.iter().flat_map(|cell| &cell.entries) {
        if !contenders.contains(&entry.contender.as_str()) {
            contenders.push(&entry.contender);
        }
    }
    let peers = contenders.get(1..).unwrap_or_default();
    let mut text = format!("| workload | callers | larder/s | {} |\n", peers.join(" | "));
    let _ = writeln!(text, "|---|---|---|{}", "---|".repeat(peers.len()));
    for cell in cells {
        let larder = cell.entries.first().and_then(|entry| entry.median(|round| round.rate));
        let larder = larder.map_or("–".to_owned(), |rate| format!("{rate:.0}"));
        let _ = write!(text, "| {} | {} | {larder} |", cell.workload.name(), cell.callers);
        for peer in peers {
            let _ = write!(text, " {} |", ratio(cell, peer));
        }
        text.push('\n');
    }
    text
}

fn ratio(cell: &Cell, peer: &str) -> String {
    match cell.ratios.iter().find(|against| against.contender == peer) {
        Some(against) => {
            let rate = against.rate;
            format!("**{:.2}** ({:.2}–{:.2})", rate.median, rate.least, rate.greatest)
        }
        None => "–".to_owned(),
    }
}

/// A line for each contender in each cell.
fn figures(cells: &[&Cell]) -> String {
    let mut text = String::from(
        "| workload | callers | contender | operations/s | larder's multiple | p50 µs | p99 µs | larder's p99 by this | CPU µs, \
         client | CPU µs, server |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for cell in cells {
        for entry in &cell.entries {
            let _ = write!(text, "| {} | {} | {} |", cell.workload.name(), cell.callers, entry.contender);
            text.push_str(&figures_of(cell, entry));
            text.push('\n');
        }
    }
    text
}

fn figures_of(cell: &Cell, entry: &Entry) -> String {
    let median = |of: fn(&Round) -> f64| {
        entry.median(of).map_or("–".to_owned(), |value| format!("{value:.*}", usize::from(value < 100.0)))
    };
    match &entry.outcome {
        Outcome::Unsupported { reason } => format!(" {reason} | | | | | | |"),
        Outcome::Failed { error } => format!(" FAILED: {} | | | | | | |", error.replace('\n', " ")),
        Outcome::Measured { .. } => format!(
            " {} | {} | {} | {} | {} | {} | {} |",
            median(|round| round.rate),
            ratio(cell, &entry.contender),
            median(|round| round.p50),
            median(|round| round.p99),
            cell.ratios
                .iter()
                .find(|against| against.contender == entry.contender)
                .map_or("–".to_owned(), |against| format!("{:.2}", against.p99.median)),
            median(|round| round.client_cpu),
            median(|round| round.server_cpu.unwrap_or(f64::NAN)).replace("NaN", "–"),
        ),
    }
}

fn costs(results: &Results) -> String {
    let mut text = String::from(
        "| database | call | callers | jobs | µs for an operation | multiple of the cost at the least |\n|---|---|---|---|---|---|\n",
    );
    for cost in &results.costs {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {:.1} | {} |",
            cost.database.name(),
            cost.workload.name(),
            cost.callers,
            cost.jobs,
            cost.microseconds,
            cost.ratio.map_or("1".to_owned(), |ratio| format!("{ratio:.2}"))
        );
    }
    text
}

fn others(results: &Results) -> String {
    let mut text = String::new();
    for memory in &results.memory {
        let Some((warm, last, most)) = memory.summary() else { continue };
        let _ = writeln!(
            text,
            "Memory on {}, the mix by 64 callers, {} operations in {:.0} s: {warm:.1} MiB resident after a tenth of the \
             time, {last:.1} at the end, {most:.1} at most.\n",
            memory.database.name(),
            memory.operations,
            memory.seconds
        );
    }
    if let Some(open) = results.open {
        let _ = writeln!(
            text,
            "Opening an embedded database and asking for pending migrations: {:.2} ms.\n",
            open / 1e3
        );
    }
    for Footprint { backend, size, build, crates } in &results.footprints {
        let _ = writeln!(
            text,
            "The smallest program with {backend}: {size:.1} MiB, {crates} crates, built from nothing in {build:.0} s.\n"
        );
    }
    text
}

/// What is printed in the end.
pub(crate) fn summary(results: &Results) -> String {
    let mut text = String::new();
    for database in databases(&results.cells) {
        let cells: Vec<_> = results.cells.iter().filter(|cell| cell.database == database).collect();
        let _ = writeln!(text, "{}:\n\n{}", database.name(), ratios(&cells));
    }
    if !results.costs.is_empty() {
        let _ = writeln!(text, "{}", costs(results));
    }
    text.push_str(&others(results));
    text.push_str(&goals(&results.goals));
    text
}
