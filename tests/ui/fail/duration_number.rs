use pushe_tasks::prelude::*;

#[pushe_task(timeout = "-5s")]
async fn send(_: u8) {}

fn main() {}
