use pushe_tasks::prelude::*;

#[pushe_task(network = connected)]
async fn send(_: u8) {}

fn main() {}
