//! The cases, a module for each subject.

groups! {
    mod api_keys;
    mod authentication;
    mod batches;
    mod bulk;
    mod children;
    mod context;
    mod endpoints;
    mod errors;
    mod jobs;
    mod lanes;
    mod model_based;
    mod owners;
    mod pages;
    mod patches;
    mod relations;
    mod search;
    mod statistics;
    mod tables;
    mod tasks;
    mod transactions;
    mod values;
}
