use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(input: &str) {
    let _ = input;
}

fn main() {}
