//! The one rule for searching without regard to case.

/// The folded form of a text, written beside it into its search column and applied to every query, so that both
/// databases only compare bytes: Unicode's default case folding (full mappings of CaseFolding.txt), without
/// normalization.
///
/// So `É` finds `é`, `SS` finds `ß`, `Σ` finds `ς`; `İ` folds to `i` and a combining dot, hence `i` finds it and `istanbul`
/// does not find `İstanbul`. Composed and decomposed forms stay different.
///
/// ```
/// assert_eq!(larder_core::fold("STRASSE É"), larder_core::fold("straße é"));
/// ```
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    caseless::default_case_fold_str(text)
}
