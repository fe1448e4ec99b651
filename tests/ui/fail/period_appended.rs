use pushe_tasks::prelude::*;

#[pushe_task(every = "1h", policy = Append)]
async fn send() {}

fn main() {}
