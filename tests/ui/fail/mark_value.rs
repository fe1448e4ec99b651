use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(#[input(first)] _: u8) {}

fn main() {}
