use pushe_tasks::prelude::*;

#[pushe_task(timeout("10m"))]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
