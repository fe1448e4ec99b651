use pushe_tasks::prelude::*;

#[pushe_task(priority = Hihg)]
async fn send() {}

fn main() {}
