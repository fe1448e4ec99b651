use pushe_tasks::prelude::*;

#[pushe_task(cron = "0 4 1;2 * *")]
async fn send() {}

fn main() {}
