use pushe_tasks::prelude::*;

#[pushe_task(tags())]
async fn send(_: u8) {}

fn main() {}
