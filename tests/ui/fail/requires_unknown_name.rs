use pushe_tasks::prelude::*;

#[pushe_task(requires(Chargin))]
async fn send() {}

fn main() {}
