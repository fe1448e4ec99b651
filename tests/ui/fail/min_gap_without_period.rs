use pushe_tasks::prelude::*;

#[pushe_task(min_gap = "1h")]
async fn send() {}

fn main() {}
