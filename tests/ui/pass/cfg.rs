#![deny(warnings)]

use pushe_tasks::prelude::*;

#[pushe_task]
#[cfg(all())]
async fn present(_: u8) {}

#[cfg(any())]
#[pushe_task]
async fn absent(_: Missing) {}

#[pushe_task]
#[cfg(any())]
async fn absent_too(_: Missing) {}

#[cfg_attr(all(), pushe_task(id = "present"))]
async fn conditional() {}

#[cfg_attr(any(), pushe_task)]
#[allow(dead_code)]
async fn no_task(_: &str) {}

fn main() {
    let _ = Present::schedule(1);
    assert_eq!(Conditional::OPTIONS.task_id(&()).as_deref(), Some("present"));
}
