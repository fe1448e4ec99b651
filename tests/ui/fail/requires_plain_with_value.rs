use pushe_tasks::pushe_task;

#[pushe_task(requires(StorageNotLow("/var")))]
async fn a_directory() {}

#[pushe_task(requires(Charging()))]
async fn a_plug() {}

fn main() {}
