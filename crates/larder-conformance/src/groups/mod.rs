//! The cases, a module for each subject.

groups! {
    mod batches;
    mod errors;
    mod jobs;
    mod model_based;
    mod owners;
    mod pages;
    mod patches;
    mod search;
    mod tables;
    mod transactions;
    mod values;
}
