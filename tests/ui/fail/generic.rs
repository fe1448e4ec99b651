use pushe_tasks::prelude::*;

#[pushe_task]
async fn send<T>(input: T) {
    let _ = input;
}

fn main() {}
