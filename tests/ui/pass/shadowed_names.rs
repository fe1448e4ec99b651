//! Names of the standard library and of the expansion may mean something else here.
#![allow(dead_code, non_camel_case_types)]

struct Result;
struct Option;
struct String;
struct Task;
struct Duration;
struct str_;

#[pushe_tasks::pushe_task(id = "{}", timeout = "5s", delay = "1s")]
async fn shadowed(input: u8, context: pushe_tasks::TaskContext) {
    let returned = (input, context);
    let _ = returned;
}

fn main() {
    let _ = Shadowed::schedule(1);
}
