use pushe_tasks::prelude::*;

#[pushe_task(run_on = Gpu)]
async fn send(input: String) -> Result<(), TaskError> {
    let _ = input;
    Ok(())
}

fn main() {}
