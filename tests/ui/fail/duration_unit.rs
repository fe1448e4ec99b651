use pushe_tasks::prelude::*;

#[pushe_task(timeout = "10x")]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
