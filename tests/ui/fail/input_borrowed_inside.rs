use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(_: Option<&str>) {}

fn main() {}
