use pushe_tasks::prelude::*;

#[pushe_task(every = "999ms")]
async fn send() {}

fn main() {}
