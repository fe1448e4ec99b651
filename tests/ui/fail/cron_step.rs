use pushe_tasks::prelude::*;

#[pushe_task(cron = "*/60 * * * *")]
async fn send() {}

fn main() {}
