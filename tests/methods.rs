//! The table of methods that conformance runs its intruder over, and drops in mid-call, against the source: a method that
//! is written and not in the table fails here.

use std::collections::BTreeSet;

use larder_conformance::methods::{Method, OF_THE_SYSTEM, SCOPED};

/// What asks the database nothing.
const ACCESSORS: &[&str] = &["context", "owner", "new"];

/// The public methods in the `impl` blocks of a type, as `Type::method`.
fn methods_of(source: &str, kind: &str) -> BTreeSet<String> {
    let block_of = |line: &str| line.starts_with("impl") && line.ends_with('{') && !line.contains(" for ");
    let mut methods = BTreeSet::new();
    let mut inside = false;
    for line in source.lines() {
        if block_of(line) {
            inside =
                line.split_whitespace().any(|word| word == kind || word.starts_with(&format!("{kind}<")));
        } else if line == "}" {
            inside = false;
        }
        let line = line.trim_start();
        let name = line.strip_prefix("pub async fn ").or_else(|| line.strip_prefix("pub fn "));
        if let Some(name) = name.filter(|_| inside).and_then(|rest| rest.split(['(', '<']).next())
            && !ACCESSORS.contains(&name)
        {
            methods.insert(format!("{kind}::{name}"));
        }
    }
    assert!(!methods.is_empty(), "the source has no methods of {kind}");
    methods
}

fn table(methods: &[Method]) -> BTreeSet<String> {
    methods.iter().map(|method| method.name.to_owned()).collect()
}

#[test]
fn every_method_that_a_user_reaches_meets_the_intruder() {
    let mut written = methods_of(include_str!("../crates/larder-core/src/repo.rs"), "Repo");
    written.extend(methods_of(include_str!("../crates/larder-core/src/with.rs"), "Repo"));
    written.extend(methods_of(include_str!("../crates/larder-model/src/job.rs"), "Jobs"));
    written.extend(methods_of(include_str!("../crates/larder-model/src/message.rs"), "Messages"));
    written.extend(methods_of(include_str!("../crates/larder-model/src/user.rs"), "Account"));
    assert_eq!(table(SCOPED), written);
}

#[test]
fn every_method_of_the_system_is_dropped_in_mid_call() {
    let mut written = methods_of(include_str!("../crates/larder-core/src/unscoped.rs"), "Unscoped");
    written.extend(methods_of(include_str!("../crates/larder-model/src/scheduler.rs"), "Scheduler"));
    written.extend(methods_of(include_str!("../crates/larder-model/src/user.rs"), "Users"));
    written.extend(["UserScope::transaction".to_owned(), "SystemScope::transaction".to_owned()]);
    assert_eq!(table(OF_THE_SYSTEM), written);
}
