use pushe_tasks::prelude::*;

fn id(_: &()) -> String {
    String::from("a")
}

#[pushe_task(id = id)]
async fn send() {}

fn main() {}
