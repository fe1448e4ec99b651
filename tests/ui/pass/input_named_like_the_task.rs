use pushe_tasks::prelude::*;

#[derive(Serialize, Deserialize)]
struct Upload;

#[pushe_task(task = UploadTask)]
async fn upload(_: Upload) {}

fn main() {
    assert_eq!(UploadTask::NAME, "UploadTask");
    let _ = UploadTask::schedule(Upload);
}
