#![forbid(unsafe_code)]

use pushe_tasks::prelude::*;

#[pushe_task]
async fn awesome_task(_: Data) {}

fn main() {
    let _ = AwesomeTask::schedule(task_data! { "firstData" => "awesome stuff" });
}
