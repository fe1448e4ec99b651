use pushe_tasks::prelude::*;

#[pushe_task(id = "a/{al bum}")]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
