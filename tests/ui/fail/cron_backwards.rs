use pushe_tasks::prelude::*;

#[pushe_task(cron = "0 22-4 * * *")]
async fn send() {}

fn main() {}
