use pushe_tasks::prelude::*;

#[pushe_task(concurrency = "4")]
async fn send(_: u8) {}

fn main() {}
