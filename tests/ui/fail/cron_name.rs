use pushe_tasks::prelude::*;

#[pushe_task(cron = "0 4 * * monday")]
async fn send() {}

fn main() {}
