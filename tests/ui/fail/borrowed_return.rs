use pushe_tasks::prelude::*;

#[pushe_task]
async fn send() -> &'static str {
    ""
}

fn main() {}
