use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(_: impl Into<String>) {}

fn main() {}
