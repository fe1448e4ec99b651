use pushe_tasks::prelude::*;

#[pushe_task(policy = Keep)]
async fn send(_: u8) {}

fn main() {}
