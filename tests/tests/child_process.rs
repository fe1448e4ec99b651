//! Fault 53: what a process starts inherits neither its store nor its work.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use pushe_tasks::{
    Outcome, Schedule, StartError, Task, TaskContext, TaskError, TaskOptions, TaskScheduler, WorkState,
};
use pushe_tasks_tests::child;
use pushe_tasks_tests::deadline::soon;

/// Ends at once.
struct Tick;

impl Task for Tick {
    const NAME: &'static str = "Tick";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = ();
    type Output = u32;

    async fn perform((): (), _: TaskContext) -> Result<Outcome<u32>, TaskError> {
        Ok(Outcome::Success(std::process::id()))
    }
}

async fn start(path: &Path) -> Result<TaskScheduler, StartError> {
    soon("the start", TaskScheduler::builder(path).detached().register::<Tick>().only::<Tick>().start()).await
}

/// The files of the store that a process has open.
fn open_files(process: &str, path: &Path) -> Vec<String> {
    let links = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().filter_map(Result::ok);
    let targets = links.filter_map(|link| std::fs::read_link(link.path()).ok());
    let name = path.to_str().unwrap().to_owned();
    targets.map(|target| target.to_string_lossy().into_owned()).filter(|at| at.starts_with(&name)).collect()
}

#[tokio::test]
async fn fault_53_a_process_that_is_started_has_neither_the_store_nor_its_lock() {
    let name = "fault_53_a_process_that_is_started_has_neither_the_store_nor_its_lock";
    if let Some(path) = child::path() {
        child::say(&format!("{:?}", open_files("self", &path)));
        let error = start(&path).await.unwrap_err();
        child::say(&error.to_string());
        return tokio::task::spawn_blocking(child::wait_for_parent).await.unwrap();
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let scheduler = start(&path).await.unwrap();
    assert!(!open_files("self", &path).is_empty(), "this process has it open");
    let started = child::Process::start(name, &path);
    assert_eq!(started.hear(), "[]", "a process that is started has no file of it");
    let refused = started.hear();
    assert!(refused.contains(&std::process::id().to_string()), "the holder is named: {refused}");
    let work = Schedule::<Tick>::new(()).on(&scheduler).await.unwrap();
    assert_eq!(soon("the work", work.output()).await.unwrap(), std::process::id(), "its work runs here");
    soon("the shutdown", scheduler.shutdown(Duration::ZERO)).await;
    // The other one lives on, and holds nothing.
    let again = start(&path).await.unwrap();
    soon("the shutdown", again.shutdown(Duration::ZERO)).await;
    started.finish();
}

#[tokio::test]
async fn fault_53_what_a_killed_process_had_started_does_not_keep_its_store() {
    let name = "fault_53_what_a_killed_process_had_started_does_not_keep_its_store";
    if let Some(path) = child::path() {
        let scheduler = start(&path).await.unwrap();
        Schedule::<Tick>::new(()).id("tick").delay("1h").on(&scheduler).await.unwrap();
        let null = || Stdio::null();
        let mut other =
            Command::new("sleep").arg("600").stdin(null()).stdout(null()).stderr(null()).spawn().unwrap();
        child::say(&other.id().to_string());
        let _killed_before = other.wait();
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tasks.redb");
    let holder = child::Process::start(name, &path);
    let other = Other(holder.hear());
    holder.kill();
    // A process that has just been started closes what it does not inherit a moment after its parent goes on.
    soon("the other program to run", async {
        while other.has_open(&path) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let scheduler = start(&path).await.unwrap();
    assert!(Path::new(&format!("/proc/{}", other.0)).exists(), "what it started lives on");
    assert_eq!(scheduler.info("tick").await.unwrap().state, WorkState::Enqueued);
    soon("the shutdown", scheduler.shutdown(Duration::ZERO)).await;
}

/// The id of a process that a killed one had started; it ends with this.
struct Other(String);

impl Other {
    fn has_open(&self, path: &Path) -> bool {
        !open_files(&self.0, path).is_empty()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(&self.0).status();
    }
}
