use pushe_tasks::prelude::*;

#[pushe_task]
async fn awesome_task() {}

fn main() {
    assert_eq!(AwesomeTask::NAME, "AwesomeTask");
    assert!(AwesomeTask::ALIASES.is_empty());
    let _ = AwesomeTask::schedule();
}
