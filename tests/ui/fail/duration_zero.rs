use pushe_tasks::prelude::*;

#[pushe_task(timeout = "0s")]
async fn send(_: u8) {}

fn main() {}
