use pushe_tasks::prelude::*;

#[pushe_task(every = "1h", missed = Skipp)]
async fn send() {}

fn main() {}
