use pushe_tasks::prelude::*;

#[pushe_task(aliases = "Old")]
async fn send(_: u8) {}

fn main() {}
