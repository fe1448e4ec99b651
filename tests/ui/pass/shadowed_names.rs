#![allow(dead_code)]

// Whatever a crate calls its own things, the attribute means what it says.
struct Result;
struct Option;
struct String;
struct Send;
struct Future;
struct Task;
struct TaskContext;
struct TaskOptions;
struct Schedule;
struct Outcome;
struct Duration;
struct Clone;
struct Copy;
struct Debug;
mod inventory {}
mod serde {}
mod core {}
mod std {}

#[pushe_tasks::pushe_task(id = "{}", policy = Keep, retry(delay = "1s"), timeout = "1m")]
async fn awesome_task(_: u8, _: pushe_tasks::TaskContext) {}

fn main() {
    let _ = AwesomeTask::schedule(1);
}
