use pushe_tasks::prelude::*;

#[derive(Serialize, Deserialize)]
struct User {
    id: u32,
    r#type: String,
}

#[derive(Serialize, Deserialize)]
struct Upload {
    user: User,
    pair: (u8, (u8, f64)),
}

#[pushe_task(id = "{{up}}/{user.id:04}/{user.type}/{user.r#type:?}/{pair.0}/{pair.1.1:.2}/{user.id}")]
async fn fields(_: Upload) {}

#[pushe_task(id = "n/{:>3}")]
async fn whole(_: u8) {}

#[pushe_task(id = "{:?}")]
async fn shown(_: Vec<u8>) {}

#[pushe_task(id = "{{fixed}}")]
async fn fixed(_: u8) {}

fn main() {
    let upload = Upload { user: User { id: 7, r#type: "x".into() }, pair: (1, (2, 0.5)) };
    let id = Fields::OPTIONS.task_id(&upload).unwrap();
    assert_eq!(id, "{up}/0007/x/\"x\"/1/0.50/7");
    assert_eq!(Whole::OPTIONS.task_id(&7).unwrap(), "n/  7");
    assert_eq!(Shown::OPTIONS.task_id(&vec![1, 2]).unwrap(), "[1, 2]");
    assert_eq!(Fixed::OPTIONS.task_id(&7).unwrap(), "{fixed}");
}
