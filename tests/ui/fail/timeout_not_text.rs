use pushe_tasks::prelude::*;

#[pushe_task(timeout = 5)]
async fn send(_: u8) {}

fn main() {}
