#![deny(warnings)]

use pushe_tasks::prelude::*;

#[derive(Serialize, Deserialize)]
struct Upload {
    album: String,
    size: u64,
}

#[pushe_task(id = "{album}/{size:04}")]
async fn upload_photo(Upload { album, size }: Upload, _: TaskContext) -> Result<String, TaskError> {
    Ok(format!("{album} {size}"))
}

#[pushe_task]
async fn pair((mut left, right): (u8, u8)) -> Outcome<u8> {
    left += right;
    Outcome::Success(left)
}

fn main() {
    let upload = Upload { album: "a".into(), size: 7 };
    assert_eq!(UploadPhoto::OPTIONS.task_id(&upload).as_deref(), Some("a/0007"));
    let _ = Pair::schedule((1, 2));
}
