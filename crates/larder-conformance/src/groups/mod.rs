//! The cases, a module for each subject.

groups! {
    mod errors;
    mod jobs;
    mod model_based;
    mod owners;
    mod pages;
    mod patches;
    mod search;
    mod transactions;
    mod values;
}
