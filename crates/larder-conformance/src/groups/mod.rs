//! The cases, a module for each subject.

groups! {
    mod errors;
}
