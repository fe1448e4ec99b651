use pushe_tasks::prelude::*;

#[pushe_task(missed = Skip)]
async fn send() {}

fn main() {}
