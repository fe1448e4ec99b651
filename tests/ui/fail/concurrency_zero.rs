use pushe_tasks::prelude::*;

#[pushe_task(concurrency = 0)]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
