//! The crate under another name.
extern crate pushe_tasks as renamed;

mod inner {
    #[renamed::pushe_task(crate = ::renamed, id = "a", policy = Replace)]
    pub async fn task(input: u8) {
        let _ = input;
    }
}

fn main() {
    let _ = inner::Task::schedule(1);
}
