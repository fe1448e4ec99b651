use pushe_tasks::prelude::*;

#[pushe_task]
async unsafe fn send(_: u8) {}

fn main() {}
