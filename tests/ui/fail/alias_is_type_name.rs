use pushe_tasks::prelude::*;

#[pushe_task(aliases("Send"))]
async fn send(_: u8) {}

fn main() {}
