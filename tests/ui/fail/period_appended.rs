use pushe_tasks::prelude::*;

#[pushe_task(every = "1h", policy = AppendAfterSuccess)]
async fn send() {}

fn main() {}
