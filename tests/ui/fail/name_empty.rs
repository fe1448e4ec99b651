use pushe_tasks::prelude::*;

#[pushe_task(name = "")]
async fn send(_: u8) {}

fn main() {}
