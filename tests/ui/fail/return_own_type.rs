use pushe_tasks::prelude::*;

struct Receipt;

#[pushe_task]
async fn send(_: u8) -> Receipt {
    Receipt
}

fn main() {}
