//! The cases, a module for each subject.

groups! {
    mod errors;
    mod owners;
    mod transactions;
}
