use pushe_tasks::prelude::*;

#[pushe_task(id = "a/{0:1$}")]
async fn send(input: (u8, u8)) {
    let _ = input;
}

fn main() {}
