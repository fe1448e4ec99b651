use pushe_tasks::prelude::*;

#[pushe_task(priority = "High")]
async fn send() {}

fn main() {}
