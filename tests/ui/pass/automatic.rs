use pushe_tasks::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Album(u32);

#[pushe_task(every = "1h", start = Automatic)]
async fn beat() {}

#[pushe_task(cron = "0 4 * * *", start = Automatic, id = "album/{0}", task = SendAlbum)]
async fn send(album: Album) {
    drop(album);
}

fn main() {
    assert_eq!(Beat::OPTIONS.check(), Ok(()));
    let album = SendAlbum::OPTIONS.automatic_input().map(|make| make());
    assert_eq!(album.map(|album| SendAlbum::OPTIONS.task_id(&album)), Some(Some("album/0".into())));
}
