use pushe_tasks::prelude::*;

#[pushe_task]
fn send(input: String) {
    let _ = input;
}

fn main() {}
