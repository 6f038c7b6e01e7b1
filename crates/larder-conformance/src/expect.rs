//! What a call should have answered.

use std::fmt::Debug;

use larder::{Error, ErrorKind, Result};

/// The call was refused as `Invalid` with this field.
#[track_caller]
pub(crate) fn assert_invalid<T: Debug>(result: Result<T>, field: &str) {
    assert_invalid_for(result, field, "the call");
}

/// As [`assert_invalid`], saying what the call was about.
#[track_caller]
pub(crate) fn assert_invalid_for<T: Debug>(result: Result<T>, expected: &str, what: impl Debug) {
    match result.as_ref().map_err(Error::kind) {
        Err(ErrorKind::Invalid { field, .. }) => assert_eq!(field, expected, "{what:?}: {result:?}"),
        _ => panic!("{what:?} should be Invalid for {expected}, and is {result:?}"),
    }
}
