use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(_: &str) {}

fn main() {}
