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

/// The source of a module of the model.
macro_rules! model {
    ($module:literal) => {
        include_str!(concat!("../crates/larder-model/src/", $module, ".rs"))
    };
}

/// The methods of several types.
fn written(types: &[(&str, &str)]) -> BTreeSet<String> {
    types.iter().flat_map(|(source, kind)| methods_of(source, kind)).collect()
}

#[test]
fn every_method_that_a_user_reaches_meets_the_intruder() {
    let written = written(&[
        (include_str!("../crates/larder-core/src/repo.rs"), "Repo"),
        (include_str!("../crates/larder-core/src/bulk.rs"), "Repo"),
        (include_str!("../crates/larder-core/src/statistics.rs"), "Repo"),
        (include_str!("../crates/larder-core/src/stream.rs"), "Repo"),
        (include_str!("../crates/larder-core/src/with.rs"), "Repo"),
        (model!("user"), "Profile"),
        (model!("account"), "Accounts"),
        (model!("session"), "Sessions"),
        (model!("authenticator"), "Authenticators"),
        (model!("api_key"), "ApiKeys"),
        (model!("job"), "Jobs"),
        (model!("message"), "Messages"),
        (model!("context_entry"), "ContextEntries"),
        (model!("task"), "Tasks"),
    ]);
    assert_eq!(table(SCOPED), written);
}

#[test]
fn every_method_of_the_system_is_dropped_in_mid_call() {
    let mut written = written(&[
        (include_str!("../crates/larder-core/src/unscoped.rs"), "Unscoped"),
        (model!("user"), "Users"),
        (model!("account"), "AllAccounts"),
        (model!("session"), "AllSessions"),
        (model!("verification_token"), "VerificationTokens"),
        (model!("authenticator"), "AllAuthenticators"),
        (model!("api_key"), "AllApiKeys"),
        (model!("scheduler"), "Scheduler"),
    ]);
    written.extend(["UserScope::transaction".to_owned(), "SystemScope::transaction".to_owned()]);
    assert_eq!(table(OF_THE_SYSTEM), written);
}

/// A repository that is written and not named above would be looked for nowhere.
#[test]
fn every_repository_of_the_model_is_looked_into() {
    let this = include_str!("methods.rs");
    let model = model!("lib");
    let declared = model.lines().filter(|line| line.ends_with(';') && !line.contains("fn "));
    let repositories: Vec<_> = declared.filter_map(|line| line.trim().split_once(" -> ")).collect();
    assert!(repositories.len() > 10, "the model's repositories are not found: {repositories:?}");
    for (_, kind) in repositories {
        let kind = kind.trim_end_matches(';');
        // What is a plain `Repo` has no methods of its own.
        assert!(kind == "Endpoints" || this.contains(&format!("\"{kind}\"")), "{kind} is not looked into");
    }
}
