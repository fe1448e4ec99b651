use pushe_tasks::prelude::*;

#[pushe_task]
async unsafe fn send() {}

fn main() {}
