use pushe_tasks::prelude::*;

fn make(_: &u8) -> String {
    String::new()
}

#[pushe_task(id = make)]
async fn send(input: String) {
    let _ = input;
}

fn main() {}
