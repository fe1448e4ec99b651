use pushe_tasks::prelude::*;

#[pushe_task(timeout = "1h 30")]
async fn send(_: u8) {}

fn main() {}
