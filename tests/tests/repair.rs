//! A damaged store from outside: refused, looked at, moved aside by request, and salvaged into one that runs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pushe_tasks::store::Finding;
use pushe_tasks::store::redb::{OnDamage, StoreOptions};
use pushe_tasks::{
    OpenError, SchedulerBuilder, StartError, State, TaskError, TaskScheduler, WorkId, pushe_task,
};
use pushe_tasks_tests::deadline::soon;

type Sum = Arc<AtomicU64>;

#[expect(clippy::unused_async, reason = "a task is an async fn")]
#[pushe_task(network = NotRequired)]
async fn add_up(input: u64, State(sum): State<Sum>) -> Result<(), TaskError> {
    sum.fetch_add(input, Ordering::SeqCst);
    Ok(())
}

fn builder(path: &Path, sum: &Sum) -> SchedulerBuilder {
    TaskScheduler::builder(path).detached().state(Sum::clone(sum)).only::<AddUp>()
}

/// A store with the numbers up to 50, none of which has been added.
async fn filled(path: &Path) -> HashMap<WorkId, u64> {
    let sum = Sum::default();
    let scheduler = soon("the start", builder(path, &sum).schedule_only().start()).await.unwrap();
    let mut numbers = HashMap::new();
    for number in 1..=50 {
        numbers.insert(AddUp::schedule(number).on(&scheduler).await.unwrap().id(), number);
    }
    scheduler.shutdown(Duration::ZERO).await;
    numbers
}

/// Cuts the file off before the last page that is in use.
fn break_file(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let used = bytes.chunks(4096).rposition(|page| page.iter().any(|byte| *byte != 0)).unwrap();
    bytes.truncate(used * 4096);
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn fault_19_a_damaged_store_is_refused_moved_aside_and_salvaged_into_one_that_runs() {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join("tasks.redb");
    let numbers = filled(&path).await;
    assert!(pushe_tasks::verify(&path).unwrap().is_sound());
    break_file(&path);
    let damaged = std::fs::read(&path).unwrap();

    let sum = Sum::default();
    let refused = soon("a start", builder(&path, &sum).start()).await;
    assert!(matches!(refused, Err(StartError::Open(OpenError::Damaged { .. }))), "{refused:?}");
    assert!(std::fs::read(&path).unwrap() == damaged, "it is left as it is");
    let found = pushe_tasks::verify(&path).unwrap();
    assert!(!found.is_sound());

    let mut options = StoreOptions::default();
    options.on_damage = OnDamage::MoveAside;
    let scheduler = soon("a start", builder(&path, &sum).store_options(options).start()).await.unwrap();
    let health = soon("health", scheduler.health()).await.unwrap();
    let moved = health.facts.findings.iter().find_map(|finding| match finding {
        Finding::MovedAside { to, .. } => Some(PathBuf::from(to)),
        _ => None,
    });
    let aside = moved.unwrap_or_else(|| panic!("{:?}", health.facts.findings));
    assert!(std::fs::read(&aside).unwrap() == damaged, "it is kept as it was");
    AddUp::schedule(1000).on(&scheduler).await.unwrap().wait().await.unwrap();
    assert!(matches!(pushe_tasks::verify(&path), Err(OpenError::InUse { .. })));
    scheduler.shutdown(Duration::from_secs(5)).await;
    assert_eq!(sum.swap(0, Ordering::SeqCst), 1000, "the new store is empty, and works");

    let to = directory.path().join("salvaged.redb");
    let found = pushe_tasks::salvage(&aside, &to).unwrap();
    assert!(!found.is_whole(), "{found:?}");
    assert!(std::fs::read(&aside).unwrap() == damaged);
    assert!(pushe_tasks::verify(&to).unwrap().is_sound());
    let scheduler = soon("the start", builder(&to, &sum).start()).await.unwrap();
    let left = scheduler.list(&[], usize::MAX).await.unwrap();
    assert_eq!(left.len() as u64, found.records);
    let mut expected = 0;
    for work in left.iter().filter(|work| !found.without_record.contains(&work.id)) {
        expected += numbers[&work.id];
        soon("its end", scheduler.wait(work.id)).await.unwrap();
    }
    scheduler.shutdown(Duration::from_secs(5)).await;
    assert!(expected > 1000, "{found:?}");
    assert_eq!(sum.load(Ordering::SeqCst), expected, "{found:?}");
}
