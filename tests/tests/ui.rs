//! The attribute as its users meet it: spellings that must work, and one case for each mistake.
//!
//! The expected texts belong to the toolchain that `rust-toolchain.toml` names.

#[test]
fn spellings_that_work() {
    trybuild::TestCases::new().pass("ui/pass/*.rs");
}

#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("ui/fail/*.rs");
}
