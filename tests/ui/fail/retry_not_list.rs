use pushe_tasks::prelude::*;

#[pushe_task(retry = 3)]
async fn send(_: u8) {}

fn main() {}
