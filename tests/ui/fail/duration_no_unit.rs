use pushe_tasks::prelude::*;

#[pushe_task(delay = "10")]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
