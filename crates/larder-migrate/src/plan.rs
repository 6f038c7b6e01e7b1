//! What is to be applied, and what is refused.

use larder_core::{Error, ErrorKind, Migration, Migrations, Result};

use crate::LedgerEntry;

/// The steps of `set` that the ledger does not have.
///
/// # Errors
/// `Migration` with what to do: a step that was applied is unknown, newer than all that are known, or was changed since; or
/// a step that was not applied comes before one that was.
pub(crate) fn pending<'a>(set: &'a Migrations, applied: &[LedgerEntry]) -> Result<Vec<&'a Migration>> {
    for entry in applied {
        check_applied(set, entry)?;
    }
    let last = applied.iter().map(|entry| entry.number).max().unwrap_or(0);
    let is_applied = |step: &&Migration| applied.iter().any(|entry| entry.number == i64::from(step.number));
    let pending: Vec<_> = set.steps().iter().filter(|step| !is_applied(step)).collect();
    match pending.first() {
        Some(step) if i64::from(step.number) < last => Err(refused(format!(
            "{} was not applied though {} {last:04} was: give it a number after {last:04}",
            set.describe(step),
            set.source(),
        ))),
        _ => Ok(pending),
    }
}

fn check_applied(set: &Migrations, entry: &LedgerEntry) -> Result<()> {
    let was = format!("{} {:04}_{}", entry.source, entry.number, entry.name);
    let newest = set.steps().last().map_or(0, |step| i64::from(step.number));
    if entry.number > newest {
        return Err(refused(format!(
            "the database has {was}, and this program knows only up to {newest:04}: run a newer program"
        )));
    }
    let Some(step) = set.steps().iter().find(|step| i64::from(step.number) == entry.number) else {
        return Err(refused(format!(
            "the database has {was}, which this program does not: put the file back, it must not be deleted"
        )));
    };
    if step.checksum() != entry.checksum || step.name != entry.name {
        return Err(refused(format!(
            "{} was changed after it was applied on {}: put the file back as it was and write a new migration",
            set.describe(step),
            entry.applied_at.format("%Y-%m-%d %H:%M:%S UTC"),
        )));
    }
    Ok(())
}

fn refused(what: String) -> Error {
    Error::new(ErrorKind::Migration, what)
}
