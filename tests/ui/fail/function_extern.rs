use pushe_tasks::prelude::*;

#[pushe_task]
async extern "C" fn send(_: u8) {}

fn main() {}
