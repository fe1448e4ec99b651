use pushe_tasks::prelude::*;

#[pushe_task(aliases("Old", "Old"))]
async fn send(_: u8) {}

fn main() {}
