use pushe_tasks::prelude::*;

#[pushe_task(requires(Reach))]
async fn send() {}

fn main() {}
