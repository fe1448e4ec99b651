//! A task under `cfg` is there or not, with all that is made of it.
use pushe_tasks::prelude::*;

#[pushe_task]
#[cfg(any())]
async fn absent(input: NoSuchType) {}

#[cfg(all())]
#[pushe_task]
async fn present() {}

#[cfg_attr(all(), pushe_task(id = "made"))]
async fn made() {}

fn main() {
    let _ = Present::schedule();
    assert_eq!(Made::OPTIONS.task_id(&()).unwrap(), "made");
}
