use pushe_tasks::prelude::*;

#[derive(Serialize, Deserialize)]
struct Upload {
    sizes: Vec<u8>,
}

#[pushe_task(id = "upload/{sizes}")]
async fn send(upload: Upload) {
    let _ = upload.sizes;
}

fn main() {}
