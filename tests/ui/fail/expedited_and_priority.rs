use pushe_tasks::prelude::*;

#[pushe_task(priority = Low, expedited)]
async fn send() {}

fn main() {}
