use pushe_tasks::prelude::*;

#[pushe_task(retry(backoff = Quadratic))]
async fn send(_: u8) {}

fn main() {}
