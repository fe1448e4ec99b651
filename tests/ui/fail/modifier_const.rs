use pushe_tasks::prelude::*;

#[pushe_task(run_on = Blocking)]
const fn send() {}

fn main() {}
