use pushe_tasks::prelude::*;

#[pushe_task(delay = "-5s")]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
