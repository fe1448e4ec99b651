#![deny(warnings)]

use pushe_tasks::prelude::*;

#[pushe_task]
async fn r#move(r#type: u8) {
    let _ = r#type;
}

#[pushe_task]
async fn _hidden_task(__input: u8, __context: TaskContext) {
    let _ = (__input, __context);
}

#[pushe_task]
#[deprecated = "use the other one"]
async fn outdated() {}

#[pushe_task]
#[allow(clippy::too_many_lines, non_snake_case)]
async fn not_Snake() {}

fn main() {
    assert_eq!(Move::NAME, "Move");
    let _ = HiddenTask::schedule(1);
    let _ = NotSnake::schedule();
}
