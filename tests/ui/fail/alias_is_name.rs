use pushe_tasks::prelude::*;

#[pushe_task(name = "Send", aliases("Send"))]
async fn send(_: u8) {}

fn main() {}
