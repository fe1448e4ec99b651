use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(#[input(first)] input: String) {
    let _ = input;
}

fn main() {}
