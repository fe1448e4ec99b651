use pushe_tasks::prelude::*;

#[pushe_task]
async fn option() {}

mod given {
    #[pushe_tasks::pushe_task(task = Vec)]
    async fn list(_: std::vec::Vec<u8>) {}
}

fn main() {
    let _: Option<u8> = None;
}
