use pushe_tasks::prelude::*;

#[pushe_task(requires(Reach("http://db.local")))]
async fn send() {}

fn main() {}
