use pushe_tasks::prelude::*;

#[pushe_task(run_on = Cpu)]
fn send() {}

fn main() {}
