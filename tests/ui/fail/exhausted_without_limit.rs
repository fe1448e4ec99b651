use pushe_tasks::prelude::*;

#[pushe_task(retry(delay = "1s"), on_exhausted = give_up)]
async fn send(_: u8) {}

async fn give_up(_: u8, _: String) {}

fn main() {}
