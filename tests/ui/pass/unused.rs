//! Tasks that nobody schedules are no dead code.
#![deny(warnings)]

mod tasks {
    use pushe_tasks::prelude::*;

    #[pushe_task(id = "a")]
    async fn never_named(input: u8) {
        let _ = input;
    }
}

fn main() {}
