use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(_: u8, #[cfg(all())] _: TaskContext) {}

fn main() {}
