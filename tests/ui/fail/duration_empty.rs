use pushe_tasks::prelude::*;

#[pushe_task(timeout = "")]
async fn send(_: u8) {}

fn main() {}
