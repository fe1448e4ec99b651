use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(#[input] #[extract] _: u8) {}

fn main() {}
