use pushe_tasks::prelude::*;

#[pushe_task(expedited = true)]
async fn send() {}

fn main() {}
