use pushe_tasks::prelude::*;

#[derive(Serialize, Deserialize)]
struct Upload;

#[pushe_task]
async fn upload(_: Upload) {}

fn main() {}
