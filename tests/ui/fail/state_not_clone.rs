use pushe_tasks::prelude::*;

struct Api;

#[pushe_task]
async fn send(_: u8, _: State<Api>) {}

fn main() {}
