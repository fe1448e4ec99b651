use pushe_tasks::prelude::*;

fn decide(_: &String) -> bool {
    true
}

#[pushe_task(retry_if = decide)]
async fn send() {}

fn main() {}
