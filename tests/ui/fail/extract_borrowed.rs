use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(_: u8, _: &TaskContext) {}

fn main() {}
