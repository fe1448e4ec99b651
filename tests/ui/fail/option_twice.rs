use pushe_tasks::prelude::*;

#[pushe_task(id = "a", id = "b")]
async fn send(_: u8) {}

fn main() {}
