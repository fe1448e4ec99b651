use pushe_tasks::prelude::*;

#[pushe_task(timeout = "1h 2h")]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
