use pushe_tasks::prelude::*;

#[pushe_task(id = "a/{album}")]
async fn send() {}

fn main() {}
