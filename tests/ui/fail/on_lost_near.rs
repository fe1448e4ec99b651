use pushe_tasks::prelude::*;

#[pushe_task(network = Connected, on_lost = Finnish)]
async fn send() {}

fn main() {}
