use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(input: String);

fn main() {}
