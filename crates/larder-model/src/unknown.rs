//! What callers show to be found by, when it cannot be anybody's.

use larder_core::Secret;

/// More characters than any key of the model may have.
const LONGER_THAN_ANY: usize = 2049;

/// The text to look up. What no row holds because no database keeps it (NUL) or it is longer than any key, however long it is,
/// becomes another text that no row holds: it is unknown like any other, and finding that out costs the same.
pub(crate) fn to_look_up(shown: String) -> String {
    let is_too_long = shown.chars().nth(LONGER_THAN_ANY).is_some();
    if is_too_long || shown.contains('\0') { "-".repeat(LONGER_THAN_ANY) } else { shown }
}

/// As [`to_look_up`], of a secret.
pub(crate) fn secret_to_look_up(shown: impl Into<Secret>) -> Secret {
    to_look_up(shown.into().into_exposed()).into()
}
