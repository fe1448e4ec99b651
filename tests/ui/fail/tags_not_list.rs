use pushe_tasks::prelude::*;

#[pushe_task(tags = "photos")]
async fn send(_: u8) {}

fn main() {}
