use pushe_tasks::prelude::*;

#[pushe_task(retry(max_attempts = 0))]
async fn send(_: u8) {}

fn main() {}
