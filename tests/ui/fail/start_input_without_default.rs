use pushe_tasks::prelude::*;

#[derive(Serialize, Deserialize)]
struct Album(u32);

#[pushe_task(every = "1h", start = Automatic)]
async fn send(album: Album) {
    drop(album);
}

fn main() {}
