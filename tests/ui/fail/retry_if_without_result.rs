use pushe_tasks::prelude::*;

fn is_temporary(_: &TaskError) -> bool {
    true
}

#[pushe_task(retry_if = is_temporary)]
async fn send(_: u8) {}

fn main() {}
