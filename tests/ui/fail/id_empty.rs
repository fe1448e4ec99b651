use pushe_tasks::prelude::*;

#[pushe_task(id = "")]
async fn send(_: u8) {}

fn main() {}
