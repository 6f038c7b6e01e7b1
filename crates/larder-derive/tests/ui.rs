//! What does not compile, and with which words.

#[test]
fn misuse_is_a_compile_error_at_the_place_that_is_wrong() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/pass/*.rs");
    cases.compile_fail("tests/ui/*.rs");
}
