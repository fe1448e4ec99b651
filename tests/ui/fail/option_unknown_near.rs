use pushe_tasks::prelude::*;

#[pushe_task(netwrok = Connected)]
async fn send(_: u8) {}

fn main() {}
