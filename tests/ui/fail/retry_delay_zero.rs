use pushe_tasks::prelude::*;

#[pushe_task(retry(delay = "0s"))]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
