use pushe_tasks::prelude::*;

#[pushe_task(run_on = Blocking)]
const fn send(_: u8) {}

fn main() {}
