use pushe_tasks::prelude::*;

#[pushe_task]
async fn __(_: u8) {}

fn main() {}
