//! A deprecated task warns those who call it, and not itself.
#![deny(warnings)]
use pushe_tasks::prelude::*;

/// Old.
#[deprecated]
#[pushe_task]
pub async fn old() {}

fn main() {
    let _ = Old::schedule();
}
