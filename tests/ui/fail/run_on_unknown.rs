use pushe_tasks::prelude::*;

#[pushe_task(run_on = Gpu)]
async fn send(_: u8) {}

fn main() {}
