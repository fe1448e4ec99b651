use pushe_tasks::prelude::*;

#[pushe_task(network = Conected)]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
