//! How the store on a file is opened is the builder's to say, and what opening found is in `health()` at any time.

use std::path::Path;

use pushe_tasks::store::Finding;
use pushe_tasks::store::redb::{OnDamage, StoreOptions};
use pushe_tasks::{OpenError, StartError, StoreHealth, TaskScheduler};
use pushe_tasks_tests::deadline::soon;

async fn start(path: &Path, on_damage: OnDamage) -> Result<TaskScheduler, StartError> {
    let mut options = StoreOptions::default();
    options.on_damage = on_damage;
    let builder = TaskScheduler::builder(path).store_options(options).detached().schedule_only();
    soon("the start", builder.start()).await
}

#[tokio::test]
async fn fault_17_a_damaged_file_is_moved_aside_and_health_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.redb");
    let scheduler = start(&path, OnDamage::Refuse).await.unwrap();
    scheduler.shutdown(std::time::Duration::ZERO).await;
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = start(&path, OnDamage::Refuse).await.unwrap_err();
    assert!(matches!(error, StartError::Open(OpenError::Damaged { .. })), "{error:?}");
    let scheduler = start(&path, OnDamage::MoveAside).await.unwrap();
    let health = soon("health", scheduler.health()).await.unwrap();
    assert_eq!(health.store, StoreHealth::Healthy);
    let moved =
        |finding: &Finding| matches!(finding, Finding::MovedAside { to, .. } if to.ends_with(".damaged-1"));
    assert!(health.facts.findings.iter().any(moved), "{:?}", health.facts.findings);
}

#[tokio::test]
async fn fault_15_a_store_that_is_deleted_is_failed_in_health_with_no_call_between() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.redb");
    let scheduler = start(&path, OnDamage::Refuse).await.unwrap();
    let aside = directory.path().join("elsewhere");
    std::fs::rename(&path, &aside).unwrap();
    let health = soon("health", scheduler.health()).await.unwrap();
    assert!(
        matches!(&health.store, StoreHealth::Failed(text) if text.contains("deleted or moved")),
        "{health:?}"
    );
    assert!(!path.exists(), "no second store was made");
    std::fs::rename(&aside, &path).unwrap();
    let health = soon("health", scheduler.health()).await.unwrap();
    assert_eq!(health.facts.health, StoreHealth::Healthy);
}
