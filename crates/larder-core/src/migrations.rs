//! Migrations as a program brings them: plain data. The crate `larder-migrate` applies them.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// The migrations of one source (`larder` itself, or an application), in the order of their numbers from 1.
#[derive(Debug, Clone)]
pub struct Migrations {
    source: Cow<'static, str>,
    steps: Vec<Migration>,
}

/// One step: a script for each database, with the same effect on the logical schema.
///
/// A script runs in one transaction with its entry in the ledger, so it holds no BEGIN, COMMIT or ROLLBACK, and nothing
/// that a database refuses in a transaction (`CREATE INDEX CONCURRENTLY`, `VACUUM`). It may be empty.
#[derive(Debug, Clone)]
pub struct Migration {
    /// Its number within the source, from 1 without gaps.
    pub number: u32,
    /// What it does, in `snake_case`.
    pub name: Cow<'static, str>,
    /// The script for PostgreSQL.
    pub postgres: Cow<'static, str>,
    /// The script for SQLite.
    pub sqlite: Cow<'static, str>,
}

impl Migrations {
    /// An empty set of this source. The source's name stands in the ledger: it must never change.
    pub fn new(source: impl Into<Cow<'static, str>>) -> Self {
        Self { source: source.into(), steps: Vec::new() }
    }

    /// What `migrations!` expands to: number, name, script for PostgreSQL, script for SQLite.
    #[doc(hidden)]
    pub fn embedded(
        source: &'static str,
        steps: &'static [(u32, &'static str, &'static str, &'static str)],
    ) -> Self {
        let mut set = Self::new(source);
        for &(number, name, postgres, sqlite) in steps {
            let (name, postgres, sqlite) = (name.into(), postgres.into(), sqlite.into());
            set.steps.push(Migration { number, name, postgres, sqlite });
        }
        set
    }

    /// Adds the next step; its number is one more than the last one's.
    #[must_use]
    pub fn then(
        mut self,
        name: impl Into<Cow<'static, str>>,
        postgres: impl Into<Cow<'static, str>>,
        sqlite: impl Into<Cow<'static, str>>,
    ) -> Self {
        let number = self.steps.last().map_or(1, |last| last.number + 1);
        let (name, postgres, sqlite) = (name.into(), postgres.into(), sqlite.into());
        self.steps.push(Migration { number, name, postgres, sqlite });
        self
    }

    /// The source's name.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The steps, in the order of their numbers.
    pub fn steps(&self) -> &[Migration] {
        &self.steps
    }

    /// How a step is named to a person: `larder 0002_leases`.
    pub fn describe(&self, step: &Migration) -> String {
        format!("{} {}", self.source, step.file_stem())
    }
}

impl Migration {
    /// `0002_leases`: the name of its files without the ending.
    pub fn file_stem(&self) -> String {
        format!("{:04}_{}", self.number, self.name)
    }

    /// SHA-256, in hexadecimal, over both scripts: a step that has landed is not changed for either database. Line endings
    /// do not count.
    pub fn checksum(&self) -> String {
        let mut hash = Sha256::new();
        for script in [&self.postgres, &self.sqlite] {
            hash.update(script.replace("\r\n", "\n"));
            hash.update([0]);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checksum(postgres: &str, sqlite: &str) -> String {
        Migrations::new("app").then("step", postgres.to_owned(), sqlite.to_owned()).steps()[0].checksum()
    }

    #[test]
    fn numbers_follow_and_name_the_files() {
        let set = Migrations::embedded("app", &[(7, "seven", "", "")]).then("eight", "", "");
        let names: Vec<_> = set.steps().iter().map(|step| set.describe(step)).collect();
        assert_eq!(names, ["app 0007_seven", "app 0008_eight"]);
    }

    /// It stands in ledgers: another algorithm would refuse every database that there is.
    #[test]
    fn the_checksum_never_changes() {
        let known = "70c22f2f01b04756db144dea45b18029ed1b4bdda4605d459b9972df315284a8";
        assert_eq!(checksum("SELECT 1;\n", "SELECT 2;\n"), known);
    }

    #[test]
    fn the_checksum_is_over_both_scripts_but_for_line_endings() {
        assert_eq!(checksum("a\r\nb\r\n", "c\r\n"), checksum("a\nb\n", "c\n"));
        let different =
            ["a", "a ", "a\n", "a\r", "A", "b"].map(|script| [checksum(script, "a"), checksum("a", script)]);
        let mut different = different.concat();
        different.sort();
        different.dedup();
        // "a" twice is the one that is the same either way.
        assert_eq!(different.len(), 11);
        assert_ne!(checksum("ab", ""), checksum("a", "b"));
    }
}
