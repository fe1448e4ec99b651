use pushe_tasks::prelude::*;

#[pushe_task(delay = "1h", expires = "1h")]
async fn send() {}

fn main() {}
