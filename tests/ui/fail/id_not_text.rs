use pushe_tasks::prelude::*;

#[pushe_task(id = 7)]
async fn send(_: u8) {}

fn main() {}
