use pushe_tasks::prelude::*;

#[pushe_task]
fn send(_: Data) {}

fn main() {}
