use pushe_tasks::prelude::*;

#[pushe_task]
async fn send() -> u8 {
    1
}

fn main() {}
