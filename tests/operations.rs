//! The pages in `docs` against the suite: they name every method that there is and no other, and only cases that exist.

use std::{collections::BTreeSet, fs, path::Path};

use larder_conformance::{
    GROUPS, all_cases,
    methods::{OF_THE_SYSTEM, SCOPED},
};

/// The folder of the workspace.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What stands between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn cases() -> BTreeSet<String> {
    all_cases().map(|(name, _)| name).collect()
}

/// The rows of the tables of a page, without the heads: the cells of each.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let rows = page.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    let cells = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    cells.filter(|cells| cells.first() != Some(&"operation")).collect()
}

#[test]
fn every_method_is_in_the_table_and_proved() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/operations.md")).unwrap();
    let written: Vec<_> = SCOPED.iter().chain(OF_THE_SYSTEM).map(|method| method.name).collect();
    let (mut named, cases) = (Vec::new(), cases());
    for row in rows(&page) {
        let [operation, methods, proofs] = row[..] else { panic!("three cells: {row:?}") };
        assert!(code(methods).next().is_some(), "`{operation}` names no method");
        assert!(code(proofs).next().is_some(), "`{operation}` is not proved");
        named.extend(code(methods));
        let unknown: Vec<_> = code(proofs).filter(|case| !cases.contains(*case)).collect();
        assert!(unknown.is_empty(), "`{operation}` names cases that do not exist: {unknown:?}");
    }
    named.sort_unstable();
    let once: BTreeSet<_> = named.iter().copied().collect();
    assert_eq!(named.len(), once.len(), "a method is in one row: {named:?}");
    let written: BTreeSet<_> = written.into_iter().collect();
    let (missing, gone): (Vec<_>, Vec<_>) =
        (written.difference(&once).collect(), once.difference(&written).collect());
    assert!(missing.is_empty(), "the table has no row for {missing:?}");
    assert!(gone.is_empty(), "the table names methods that do not exist: {gone:?}");
}

/// `group::case`, where the group is one of the suite.
#[test]
fn every_case_that_a_page_names_exists() {
    let (cases, groups): (_, Vec<_>) = (cases(), GROUPS.iter().map(|group| group.name).collect());
    let mut pages: Vec<_> =
        fs::read_dir(Path::new(ROOT).join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.push(Path::new(ROOT).join("README.md"));
    let mut found = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let is_case = |code: &&str| code.split_once("::").is_some_and(|(group, _)| groups.contains(&group));
        for case in code(&text).filter(is_case) {
            assert!(cases.contains(case), "{} names {case}, which does not exist", page.display());
            found += 1;
        }
    }
    assert!(found > 100, "the pages name cases between backticks: {found} were found");
}
