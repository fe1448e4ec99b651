use pushe_tasks::prelude::*;

#[pushe_task(cron = "0 24 * * *")]
async fn send() {}

fn main() {}
