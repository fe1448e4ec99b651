use pushe_tasks::prelude::*;

#[pushe_task(requires = Charging)]
async fn send() {}

fn main() {}
