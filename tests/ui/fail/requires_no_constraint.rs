use pushe_tasks::prelude::*;

#[pushe_task(requires(Charging, 7_u8))]
async fn send() {}

fn main() {}
