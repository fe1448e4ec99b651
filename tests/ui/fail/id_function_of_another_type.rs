use pushe_tasks::prelude::*;

fn id(_: &String) -> String {
    String::new()
}

#[pushe_task(id = id)]
async fn send(_: u8) {}

fn main() {}
