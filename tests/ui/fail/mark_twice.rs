use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(#[input] #[input] input: String) {
    let _ = input;
}

fn main() {}
