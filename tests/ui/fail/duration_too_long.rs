use pushe_tasks::prelude::*;

#[pushe_task(timeout = "40000d")]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
