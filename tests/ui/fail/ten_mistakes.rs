// Ten mistakes, ten errors: each task is still there for the rest of the crate.
use pushe_tasks::prelude::*;

#[pushe_task(netwrok = Connected)]
async fn one(_: u8) {}

#[pushe_task(policy = Keep)]
async fn two(_: u8) -> Result<String, TaskError> {
    Ok(String::new())
}

#[pushe_task(timeout = "5x")]
async fn three(_: String) {}

#[pushe_task(id = "a/{")]
async fn four(_: u8) {}

#[pushe_task]
fn five(_: u8) {}

#[pushe_task]
async fn six<T>(_: T) {}

#[pushe_task]
async fn seven(_: &str) {}

#[pushe_task(retry(delay = "2h", max_delay = "1h"))]
async fn eight() {}

#[pushe_task(name = "")]
async fn nine(_: u8, _: TaskContext) {}

#[pushe_task(run_on = Blocking)]
async fn ten(_: u8) {}

fn output<T: Task<Output = String>>() {}

fn main() {
    let _ = (One::schedule(1), Two::schedule(1), Three::schedule(String::new()), Four::schedule(1));
    let _ = (Five::schedule(1), Six::schedule(1), Seven::schedule("text"), Eight::schedule());
    let _ = (Nine::schedule(1), Ten::schedule(1), one(1), two(1), three(String::new()), four(1));
    five(1);
    let _ = (six(1), seven("text"), eight(), ten(1));
    let _ = (One::OPTIONS, Nine::NAME);
    output::<Two>();
}
