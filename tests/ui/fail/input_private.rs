use pushe_tasks::prelude::*;

#[derive(Serialize, Deserialize)]
struct Upload;

#[pushe_task]
pub async fn send(_: Upload) {}

fn main() {}
