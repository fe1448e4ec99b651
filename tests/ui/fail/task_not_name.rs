use pushe_tasks::prelude::*;

#[pushe_task(task = other::Name)]
async fn send(_: u8) {}

fn main() {}
