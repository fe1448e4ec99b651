use pushe_tasks::prelude::*;

#[pushe_task(every = "1h", start = Automatik)]
async fn send() {}

fn main() {}
