use pushe_tasks::prelude::*;

#[pushe_task(name = 5)]
async fn send(_: u8) {}

fn main() {}
