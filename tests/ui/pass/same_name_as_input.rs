//! An input type whose name is the task's.
use pushe_tasks::prelude::*;

#[derive(Serialize, Deserialize)]
struct Upload(u8);

#[pushe_task(task = UploadTask)]
async fn upload(input: Upload) -> Result<u8, TaskError> {
    Ok(input.0)
}

fn main() {
    let _ = UploadTask::schedule(Upload(1));
}
