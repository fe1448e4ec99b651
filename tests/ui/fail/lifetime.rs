use pushe_tasks::prelude::*;

#[pushe_task]
async fn send<'a>(input: &'a str) {
    let _ = input;
}

fn main() {}
