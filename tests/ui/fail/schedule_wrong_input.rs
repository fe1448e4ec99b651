use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(_: u8) {}

fn later() {
    let _ = Send::schedule("text");
}

fn main() {}
