use pushe_tasks::prelude::*;

#[pushe_task(delay = @, concurrency = 2)]
async fn send(_: u8) {}

fn main() {}
