use pushe_tasks::prelude::*;

struct Mailer;

impl Mailer {
    #[pushe_task]
    async fn send(&self, _: u8) {}
}

fn main() {}
