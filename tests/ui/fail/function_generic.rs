use pushe_tasks::prelude::*;

#[pushe_task]
async fn send<T>(_: T) {}

fn main() {}
