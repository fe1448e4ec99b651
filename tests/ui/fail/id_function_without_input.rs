use pushe_tasks::prelude::*;

fn make(_: &()) -> String {
    String::new()
}

#[pushe_task(id = make)]
async fn send() {}

fn main() {}
