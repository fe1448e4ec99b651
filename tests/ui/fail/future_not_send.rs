use pushe_tasks::prelude::*;

#[pushe_task]
async fn send() {
    let shared = std::rc::Rc::new(1);
    std::future::ready(()).await;
    let _ = shared;
}

fn main() {}
