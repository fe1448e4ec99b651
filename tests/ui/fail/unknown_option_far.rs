use pushe_tasks::prelude::*;

#[pushe_task(every = "1h")]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
