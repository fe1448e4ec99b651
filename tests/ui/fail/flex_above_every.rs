use pushe_tasks::prelude::*;

#[pushe_task(every = "1h", flex = "2h")]
async fn send() {}

fn main() {}
