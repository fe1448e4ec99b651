use pushe_tasks::prelude::*;

#[pushe_task]
async fn send(_: u8) -> (u8, u8) {
    (1, 2)
}

fn main() {}
