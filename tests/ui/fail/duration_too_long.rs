use pushe_tasks::prelude::*;

#[pushe_task(timeout = "40000d")]
async fn send(_: u8) {}

fn main() {}
