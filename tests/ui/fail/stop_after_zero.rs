use pushe_tasks::prelude::*;

#[pushe_task(every = "1h", stop_after = 0)]
async fn send() {}

fn main() {}
