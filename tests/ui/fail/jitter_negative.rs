use pushe_tasks::prelude::*;

#[pushe_task(retry(jitter = -0.1))]
async fn send(_: u8) {}

fn main() {}
