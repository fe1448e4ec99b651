use pushe_tasks::prelude::*;

fn is_temporary(_: &std::io::Error) -> bool {
    true
}

#[pushe_task(retry_if = is_temporary)]
async fn send(_: u8) -> Result<(), String> {
    Ok(())
}

fn main() {}
