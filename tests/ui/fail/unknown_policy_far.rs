use pushe_tasks::prelude::*;

#[pushe_task(policy = Sometimes, id = "a")]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
