use pushe_tasks::prelude::*;

#[pushe_task(timeout = "5 minutes")]
async fn send(_: u8) {}

fn main() {}
