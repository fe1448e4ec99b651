use pushe_tasks::prelude::*;

#[pushe_task(every = "1h", tz = "UTC")]
async fn send() {}

fn main() {}
