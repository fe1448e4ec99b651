use pushe_tasks::prelude::*;

#[pushe_task(requires())]
async fn send() {}

fn main() {}
