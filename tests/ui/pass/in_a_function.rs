//! A task within a function's body.
use pushe_tasks::prelude::*;

fn main() {
    #[pushe_task]
    async fn local(input: u8) {
        let _ = input;
    }
    let _ = Local::schedule(1);
}
