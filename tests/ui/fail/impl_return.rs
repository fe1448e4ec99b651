use pushe_tasks::prelude::*;

#[pushe_task]
async fn send() -> impl Sized {}

fn main() {}
