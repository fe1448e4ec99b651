use pushe_tasks::prelude::*;

#[pushe_task]
#[allow(non_snake_case)]
async fn Send(_: u8) {}

fn main() {}
