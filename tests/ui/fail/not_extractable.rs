use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(input: String, other: Vec<u8>) {
    let _ = (input, other);
}

fn main() {}
