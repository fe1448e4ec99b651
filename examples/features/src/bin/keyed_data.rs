//! Keyed data, options as a value, and threads without durability: the forms of the guide that the idea comes from.
#![expect(clippy::unused_async, reason = "a task is an async fn, whether it waits for anything or not")]

use std::error::Error;
use std::time::Duration;

use pushe_tasks::prelude::*;
use pushe_tasks::{cpu_thread, cpu_thread_after};

#[pushe_task(name = "My Task Name", id = "AwesomeTask", policy = Keep, network = NotRequired)]
async fn awesome_task(input: Data) -> Result<String, TaskError> {
    let first = input.get_string("firstData").ok_or_else(|| TaskError::new("`firstData` is missing"))?;
    Ok(first.to_uppercase())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let scheduler = TaskScheduler::in_memory().start().await?;
    let data = task_data! { "firstData" => "awesome stuff", "secondData" => 2 };
    let receipt = scheduler.schedule_task(AwesomeTask::OPTIONS, data).await?;
    assert_eq!(receipt.output().await?, "AWESOME STUFF");

    let sum = cpu_thread(async { (1..=100).sum::<u32>() })?;
    let later = cpu_thread_after("10ms", async { "later" })?;
    assert_eq!((sum.await?, later.await?), (5_050, "later"));
    scheduler.shutdown(Duration::from_secs(5)).await;
    Ok(())
}
