use pushe_tasks::prelude::*;

#[pushe_task(id = "a/{{{b{c}}")]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
