use pushe_tasks::prelude::*;

#[pushe_task(id = "a", policy = Chain)]
async fn send(_: u8) {}

fn main() {}
