//! What is to be applied, and what is refused.

use larder_core::{Error, ErrorKind, Migration, Migrations, Result};

use crate::LedgerEntry;

/// Refuses sets that could not be told apart in the ledger.
///
/// # Errors
/// `Migration` when two have the same source.
pub(crate) fn check_sources(sets: &[Migrations]) -> Result<()> {
    for (position, set) in sets.iter().enumerate() {
        if sets[..position].iter().any(|other| other.source() == set.source()) {
            return Err(refused(format!(
                "two sets of migrations have the source `{}`: give each a name of its own",
                set.source()
            )));
        }
    }
    Ok(())
}

/// The steps of `set` that the ledger does not have. Entries of other sources do not count.
///
/// # Errors
/// `Migration` with what to do: a step that was applied is unknown, newer than all that are known, or was changed since; or
/// a step that was not applied comes before one that was.
pub(crate) fn pending<'a>(set: &'a Migrations, ledger: &[LedgerEntry]) -> Result<Vec<&'a Migration>> {
    let applied: Vec<_> = ledger.iter().filter(|entry| entry.source == set.source()).collect();
    for entry in &applied {
        check_applied(set, entry)?;
    }
    let last = applied.iter().map(|entry| entry.number).max().unwrap_or(0);
    let is_applied = |step: &&Migration| applied.iter().any(|entry| entry.number == i64::from(step.number));
    let pending: Vec<_> = set.steps().iter().filter(|step| !is_applied(step)).collect();
    match pending.first() {
        Some(step) if i64::from(step.number) < last => Err(refused(format!(
            "{} was not applied though {} {last:04} was: give it a number after the last one of this program",
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
            "the database has {was}, which this program lacks: put the migration back, it must not be removed"
        )));
    };
    if step.name != entry.name {
        return Err(refused(format!(
            "the database has {was}, which this program calls {}: give it its name back, or, if it is another \
             migration, a number after the last one of this program",
            step.file_stem(),
        )));
    }
    if step.checksum() != entry.checksum {
        return Err(refused(format!(
            "{was} was changed after it was applied on {}: put it back as it was, and write the change as a new migration",
            entry.applied_at.format("%Y-%m-%d %H:%M:%S UTC"),
        )));
    }
    Ok(())
}

fn refused(what: String) -> Error {
    Error::new(ErrorKind::Migration, what)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn set() -> Migrations {
        Migrations::new("app").then("one", "1", "1").then("two", "2", "2").then("three", "3", "3")
    }

    /// The ledger after these steps of `set` were applied.
    fn ledger(set: &Migrations, numbers: &[u32]) -> Vec<LedgerEntry> {
        let steps = set.steps().iter().filter(|step| numbers.contains(&step.number));
        steps
            .map(|step| LedgerEntry {
                source: set.source().to_owned(),
                number: step.number.into(),
                name: step.name.to_string(),
                checksum: step.checksum(),
                applied_at: DateTime::UNIX_EPOCH,
                duration_us: 0,
            })
            .collect()
    }

    fn names(pending: Result<Vec<&Migration>>) -> Vec<String> {
        pending.unwrap().iter().map(|step| step.file_stem()).collect()
    }

    fn refusal(set: &Migrations, ledger: &[LedgerEntry]) -> String {
        let error = pending(set, ledger).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Migration);
        error.context().to_owned()
    }

    #[test]
    fn pending_is_what_comes_after_the_last_applied() {
        assert_eq!(names(pending(&set(), &[])), ["0001_one", "0002_two", "0003_three"]);
        assert_eq!(names(pending(&set(), &ledger(&set(), &[1, 2]))), ["0003_three"]);
        assert!(names(pending(&set(), &ledger(&set(), &[1, 2, 3]))).is_empty());
    }

    #[test]
    fn other_sources_do_not_count() {
        let others = Migrations::new("other").then("a", "", "").then("b", "", "");
        assert_eq!(names(pending(&others, &ledger(&set(), &[1, 2, 3]))), ["0001_a", "0002_b"]);
    }

    #[test]
    fn a_step_before_an_applied_one_is_refused() {
        let refusal = refusal(&set(), &ledger(&set(), &[1, 3]));
        assert_eq!(
            refusal,
            "app 0002_two was not applied though app 0003 was: give it a number after the last one of this program"
        );
    }

    #[test]
    fn a_newer_database_is_refused() {
        let older = Migrations::new("app").then("one", "1", "1");
        assert_eq!(
            refusal(&older, &ledger(&set(), &[1, 2])),
            "the database has app 0002_two, and this program knows only up to 0001: run a newer program"
        );
        assert_eq!(
            refusal(&Migrations::new("app"), &ledger(&set(), &[1])),
            "the database has app 0001_one, and this program knows only up to 0000: run a newer program"
        );
    }

    #[test]
    fn a_removed_step_is_refused() {
        let with_a_gap = Migrations::embedded(
            "app",
            &[(1, "one", "1", "1"), (3, "three", "3", "3"), (4, "four", "4", "4")],
        );
        assert_eq!(
            refusal(&with_a_gap, &ledger(&set(), &[1, 2, 3])),
            "the database has app 0002_two, which this program lacks: put the migration back, it must not be removed"
        );
    }

    #[test]
    fn a_changed_step_is_refused_whichever_database_it_was_changed_for() {
        for (postgres, sqlite) in [("1 ", "1"), ("1", "1 ")] {
            let changed = Migrations::new("app").then("one", postgres, sqlite);
            assert_eq!(
                refusal(&changed, &ledger(&set(), &[1])),
                "app 0001_one was changed after it was applied on 1970-01-01 00:00:00 UTC: put it back as it was, and \
                 write the change as a new migration"
            );
        }
    }

    #[test]
    fn a_renamed_step_is_refused() {
        let renamed = Migrations::new("app").then("uno", "1", "1");
        assert_eq!(
            refusal(&renamed, &ledger(&set(), &[1])),
            "the database has app 0001_one, which this program calls 0001_uno: give it its name back, or, if it is \
             another migration, a number after the last one of this program"
        );
    }

    #[test]
    fn two_sets_of_one_source_are_refused() {
        assert!(check_sources(&[set(), Migrations::new("other")]).is_ok());
        let error = check_sources(&[set(), Migrations::new("other"), set()]).unwrap_err();
        assert_eq!(
            error.context(),
            "two sets of migrations have the source `app`: give each a name of its own"
        );
    }
}
