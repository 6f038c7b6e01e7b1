//! What must not compile.

#[test]
fn an_owned_entity_cannot_be_reached_without_its_owner() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/owned_entity_without_owner.rs");
    cases.compile_fail("tests/ui/unowned_entity_for_a_user.rs");
}
