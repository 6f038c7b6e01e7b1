//! The listing of the conformance tests.

use std::collections::BTreeSet;

use larder_conformance::{all_cases, names};
use larder_tests::backends;

#[test]
fn every_backend_lists_the_same_cases() {
    let backends = backends();
    let listed = names(&backends);
    let cases: Vec<_> = all_cases().map(|(name, _)| name).collect();
    assert_eq!(listed.len(), cases.len() * backends.len());
    for backend in &backends {
        let prefix = format!("{}::", backend.name());
        let of_backend: Vec<_> = listed.iter().filter_map(|name| name.strip_prefix(&prefix)).collect();
        assert_eq!(of_backend, cases, "{}", backend.name());
    }
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let names: Vec<_> = all_cases().map(|(name, _)| name).collect();
    let different: BTreeSet<_> = names.iter().collect();
    assert_eq!(different.len(), names.len());
}

/// The numbers of `CASES.md` that concern what is here. Those that take a server or a process to itself are the tests of
/// the drivers, of the migrations and of the program.
///
/// A case is one process. What a number says of several is tested elsewhere: 52 and 59, workers in processes of which some are
/// killed, by `tests/faults/claims.rs`; 67, migrators in processes, by `processes.rs` of the tests of larder-migrate; 72, 73 and
/// 77, databases that are killed, freeze or lose answers, by `tests/faults`, `tests/remote` and the drivers' tests; 78, replicas,
/// by the tests of larder-libsql.
#[test]
fn every_promise_that_concerns_a_store_is_covered() {
    let wanted = (1..=64).chain([70, 71, 74, 79, 80]);
    let covered: BTreeSet<_> = all_cases().flat_map(|(_, case)| case.covers).copied().collect();
    let missing: Vec<_> = wanted.filter(|number| !covered.contains(number)).collect();
    assert_eq!(missing, [0; 0], "no case covers these");
}
