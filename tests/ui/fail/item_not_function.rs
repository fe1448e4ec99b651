use pushe_tasks::prelude::*;

#[pushe_task]
struct Send;

fn main() {}
