use pushe_tasks::prelude::*;

#[pushe_task(id = "upload/album}")]
async fn send(_: u8) {}

fn main() {}
