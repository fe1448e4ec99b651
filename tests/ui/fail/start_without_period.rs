use pushe_tasks::prelude::*;

#[pushe_task(start = Automatic)]
async fn send() {}

fn main() {}
