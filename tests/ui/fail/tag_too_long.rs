use pushe_tasks::prelude::*;

#[pushe_task(tags("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefx"))]
async fn send(_: u8) {}

fn main() {}
