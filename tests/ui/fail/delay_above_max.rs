use pushe_tasks::prelude::*;

#[pushe_task(retry(delay = "2h", max_delay = "1h"))]
async fn send(_: u8) {}

fn main() {}
