use pushe_tasks::prelude::*;

struct Sender;

impl Sender {
    #[pushe_task]
    async fn send(&self) {}
}

fn main() {}
