use pushe_tasks::prelude::*;

#[pushe_task(requires(Charging, BatteryNotLow, Charging))]
async fn send() {}

fn main() {}
