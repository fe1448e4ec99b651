use pushe_tasks::prelude::*;

#[pushe_task(retry(delay = "6h"))]
async fn send(_: u8) {}

fn main() {}
