use pushe_tasks::prelude::*;

#[pushe_task(aliases("a", 5))]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
