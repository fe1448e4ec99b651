use pushe_tasks::prelude::*;

#[pushe_task(retry(max_attempts = 3), on_exhausted = give_up)]
async fn send(_: u8) {}

async fn give_up(_: u16, _: String) {}

fn main() {}
