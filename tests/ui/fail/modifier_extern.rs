use pushe_tasks::prelude::*;

#[pushe_task]
async extern "C" fn send() {}

fn main() {}
