use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(_: u8) -> Result<(), u8> {
    Ok(())
}

fn main() {}
