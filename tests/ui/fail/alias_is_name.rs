use pushe_tasks::prelude::*;

#[pushe_task(name = "a", aliases("a"))]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
