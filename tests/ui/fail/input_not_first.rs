use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(cx: TaskContext, #[input] input: TaskContext) {
    let _ = (input, cx);
}

fn main() {}
