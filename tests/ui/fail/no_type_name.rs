use pushe_tasks::prelude::*;

#[pushe_task]
async fn __() {}

fn main() {}
