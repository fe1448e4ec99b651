use pushe_tasks::prelude::*;

#[derive(Serialize, Deserialize)]
struct Upload;

#[pushe_task]
async fn upload(input: Upload) {
    let _ = input;
}

fn main() {}
