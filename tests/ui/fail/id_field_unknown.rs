use pushe_tasks::prelude::*;

#[derive(Serialize, Deserialize)]
struct Upload {
    album: String,
}

#[pushe_task(id = "upload/{albun}")]
async fn send(upload: Upload) {
    let _ = upload.album;
}

fn main() {}
