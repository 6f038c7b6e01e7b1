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
