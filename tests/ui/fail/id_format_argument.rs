use pushe_tasks::prelude::*;

#[pushe_task(id = "{:width$}")]
async fn send(_: u8) {}

fn main() {}
