//! A crate that denies what it can.
#![deny(warnings, missing_docs, missing_debug_implementations, missing_copy_implementations)]
#![deny(unreachable_pub, unused, unused_qualifications, elided_lifetimes_in_paths, single_use_lifetimes)]
#![deny(trivial_casts, unused_results, let_underscore_drop, nonstandard_style, future_incompatible)]

use pushe_tasks::prelude::*;

/// Documented once.
#[pushe_task(id = "a/{}", policy = Replace, retry(max_attempts = 2))]
pub async fn documented(_: String, _: TaskContext) -> Result<(), TaskError> {
    Ok(())
}

#[pushe_task]
async fn undocumented() {}

#[pushe_task(run_on = Blocking)]
fn plain(_: u8) -> Outcome {
    Outcome::SUCCESS
}

fn main() {}
