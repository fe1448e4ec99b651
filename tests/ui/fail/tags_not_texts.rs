use pushe_tasks::prelude::*;

#[pushe_task(tags("photos", 7))]
async fn send(_: u8) {}

fn main() {}
