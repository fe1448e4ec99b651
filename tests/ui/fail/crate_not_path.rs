use pushe_tasks::prelude::*;

#[pushe_task(crate = "tasks")]
async fn send(_: u8) {}

fn main() {}
