use pushe_tasks::prelude::*;

struct Plain;

#[pushe_task]
async fn send(input: Plain) {
    let _ = input;
}

fn main() {}
