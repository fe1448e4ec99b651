use pushe_tasks::prelude::*;

#[pushe_task(cron = 5)]
async fn send() {}

fn main() {}
