use pushe_tasks::prelude::*;

#[pushe_task(every = "1h", cron = "0 4 * * *")]
async fn send() {}

fn main() {}
