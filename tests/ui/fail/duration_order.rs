use pushe_tasks::prelude::*;

#[pushe_task(timeout = "30m 1h")]
async fn send(_: u8) {}

fn main() {}
