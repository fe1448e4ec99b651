use pushe_tasks::prelude::*;

#[pushe_task]
async fn send<'a>(_: &'a str) {}

fn main() {}
