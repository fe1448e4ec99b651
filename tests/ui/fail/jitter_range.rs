use pushe_tasks::prelude::*;

#[pushe_task(retry(jitter = 1.5))]
async fn send(_: u8) {}

fn main() {}
