use pushe_tasks::prelude::*;

#[pushe_task(retry(max_attempt = 3))]
async fn send(_: u8) {}

fn main() {}
