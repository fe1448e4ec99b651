use pushe_tasks::prelude::*;

#[pushe_task]
#[pushe_task]
async fn send() {}

fn main() {}
