use pushe_tasks::prelude::*;

#[pushe_task(run_on = Cpu)]
fn send(_: Data) {}

fn main() {}
