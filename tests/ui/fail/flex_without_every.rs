use pushe_tasks::prelude::*;

#[pushe_task(cron = "0 4 * * *", flex = "10m")]
async fn send() {}

fn main() {}
