//! What the compiler says to users of the attribute, and what must compile.

/// The expected texts belong to the pinned toolchain.
#[test]
fn attribute() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*.rs");
}
