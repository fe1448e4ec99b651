use pushe_tasks::prelude::*;

#[pushe_task(priority = -10081)]
async fn send() {}

fn main() {}
