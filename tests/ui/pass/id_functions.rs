use pushe_tasks::prelude::*;

#[derive(Serialize, Deserialize)]
enum Change {
    Added(u32),
    Removed,
}

impl Change {
    fn id(&self) -> String {
        match self {
            Self::Added(number) => format!("added/{number}"),
            Self::Removed => "removed".into(),
        }
    }
}

mod ids {
    use pushe_tasks::Data;

    pub fn of_data(data: &Data) -> String {
        data.get_string("key").unwrap_or("none").to_owned()
    }
}

#[pushe_task(id = Change::id, policy = Replace)]
async fn announce(_: Change) {}

#[pushe_task(id = ids::of_data)]
async fn keyed(_: Data) {}

fn main() {
    assert_eq!(Announce::OPTIONS.task_id(&Change::Added(7)).unwrap(), "added/7");
    assert_eq!(Announce::OPTIONS.task_id(&Change::Removed).unwrap(), "removed");
    assert_eq!(Keyed::OPTIONS.task_id(&task_data! { "key" => "a" }).unwrap(), "a");
}
