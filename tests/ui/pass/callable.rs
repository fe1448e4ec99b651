//! The function stays what it was.
use pushe_tasks::prelude::*;

#[pushe_task]
async fn double(number: u32) -> Result<u32, TaskError> {
    Ok(number * 2)
}

#[pushe_task(run_on = Blocking)]
fn triple(number: u32) -> Result<u32, TaskError> {
    Ok(number * 3)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(double(2).await.unwrap(), 4);
    assert_eq!(triple(2).unwrap(), 6);
}
