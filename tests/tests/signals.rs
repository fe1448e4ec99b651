//! A signal begins a shutdown in order, however early it comes.
//!
//! Its one test has this program to itself: where it fails, the signal ends the program.

#![cfg(unix)]

use std::process::Command;

use pushe_tasks::TaskScheduler;

#[tokio::test]
async fn a_signal_right_after_the_start_is_heard() {
    let scheduler = TaskScheduler::in_memory().detached().stop_on_signals().start().await.unwrap();
    // Nothing is awaited here: on this runtime of one thread no other task has run since the start.
    let own = std::process::id().to_string();
    assert!(Command::new("kill").args(["-TERM", &own]).status().unwrap().success());
    scheduler.stopped().await;
}
