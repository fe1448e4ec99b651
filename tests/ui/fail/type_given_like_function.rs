use pushe_tasks::prelude::*;

#[pushe_task(task = send)]
async fn send(_: u8) {}

fn main() {}
