use pushe_tasks::prelude::*;

#[pushe_task("upload")]
async fn send(_: u8) {}

fn main() {}
