use pushe_tasks::prelude::*;

#[pushe_task(concurrency = 4294967296)]
async fn send(_: u8) {}

fn main() {}
