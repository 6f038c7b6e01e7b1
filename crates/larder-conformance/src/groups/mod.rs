//! The cases, a module for each subject.

groups! {
    mod api_keys;
    mod authentication;
    mod batches;
    mod errors;
    mod jobs;
    mod lanes;
    mod model_based;
    mod owners;
    mod pages;
    mod patches;
    mod search;
    mod tables;
    mod transactions;
    mod values;
}
