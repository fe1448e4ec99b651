use pushe_tasks::prelude::*;

use std::rc::Rc;

#[pushe_task]
async fn send(_: u8) {
    let count = Rc::new(1);
    std::future::ready(()).await;
    drop(count);
}

fn main() {}
