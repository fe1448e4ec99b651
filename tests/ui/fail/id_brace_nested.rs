use pushe_tasks::prelude::*;

#[pushe_task(id = "upload/{al{bum}}")]
async fn send(_: u8) {}

fn main() {}
