use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(input: String, #[cfg(all())] cx: TaskContext) {
    let _ = (input, cx);
}

fn main() {}
