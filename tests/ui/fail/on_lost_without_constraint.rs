use pushe_tasks::prelude::*;

#[pushe_task(network = NotRequired, on_lost = Finish)]
async fn send() {}

fn main() {}
