use pushe_tasks::prelude::*;

#[pushe_task(debounce = "1h")]
async fn send(_: u8) {}

fn main() {}
