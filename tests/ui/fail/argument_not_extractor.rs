use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(_: String, _: Vec<u8>) {}

fn main() {}
