use pushe_tasks::prelude::*;

#[pushe_task(retry(jitter = -0.1))]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
