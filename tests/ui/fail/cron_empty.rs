use pushe_tasks::prelude::*;

#[pushe_task(cron = "")]
async fn send() {}

fn main() {}
