use pushe_tasks::prelude::*;

#[pushe_task(retry(max_atempts = 3))]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
