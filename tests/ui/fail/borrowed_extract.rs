use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(input: String, cx: &TaskContext) {
    let _ = (input, cx);
}

fn main() {}
