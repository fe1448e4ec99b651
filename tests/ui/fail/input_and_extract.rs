use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(#[input] #[extract] input: String) {
    let _ = input;
}

fn main() {}
