#![deny(warnings)]

use pushe_tasks::prelude::*;

fn main() {
    #[derive(Serialize, Deserialize)]
    struct Local(u8);

    #[pushe_task(id = "{0}")]
    async fn inside(input: Local) -> Outcome<Local> {
        Outcome::Success(input)
    }

    assert_eq!(Inside::OPTIONS.task_id(&Local(3)).as_deref(), Some("3"));
}
