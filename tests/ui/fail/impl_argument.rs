use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(input: impl ToString) {
    let _ = input.to_string();
}

fn main() {}
