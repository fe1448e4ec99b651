use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(#[input] #[input] _: u8) {}

fn main() {}
