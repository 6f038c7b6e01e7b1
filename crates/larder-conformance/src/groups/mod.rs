//! The cases, a module for each subject.

groups! {
    mod batches;
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
    mod search;
    mod tables;
    mod tasks;
    mod transactions;
    mod values;
}
