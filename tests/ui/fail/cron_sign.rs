use pushe_tasks::prelude::*;

#[pushe_task(cron = "0 4 L * *")]
async fn send() {}

fn main() {}
