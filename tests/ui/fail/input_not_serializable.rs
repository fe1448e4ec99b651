use pushe_tasks::prelude::*;

struct Upload;

#[pushe_task]
async fn send(_: Upload) {}

fn main() {}
