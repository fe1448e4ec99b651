use pushe_tasks::prelude::*;

#[pushe_task(concurrency = 0)]
async fn send(_: u8) {}

fn main() {}
