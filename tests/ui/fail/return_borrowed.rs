use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(_: u8) -> Result<&'static str, TaskError> {
    Ok("done")
}

fn main() {}
