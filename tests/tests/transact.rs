//! The application's own tables and its work in one commit (S6.6), from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pushe_tasks::prelude::*;
use pushe_tasks::redb::{ReadableTable as _, ReadableTableMetadata as _, TableDefinition};
use pushe_tasks::{ScheduleError, SchedulerBuilder, TransactError, WorkId};
use pushe_tasks_store::WallTime;
use pushe_tasks_store::redb::{Call, Fault, Lasts, Opening, RedbStore, SimDisk, StoreOptions};
use pushe_tasks_tests::deadline::soon;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const ORDERS: TableDefinition<'_, u64, &str> = TableDefinition::new("orders");

#[pushe_task(name = "TransactInvoice")]
#[expect(clippy::unused_async, reason = "a task is an async fn")]
async fn send_invoice(order: u64) -> Result<u64, TaskError> {
    Ok(order * 2)
}

/// Orders and schedules, in one closure.
async fn order(
    scheduler: &TaskScheduler,
    n: u64,
) -> Result<pushe_tasks::Receipt<SendInvoice>, TransactError<Failure>> {
    let scheduled = scheduler.transact(move |tx| {
        tx.open_table(ORDERS)?.insert(n, "chairs")?;
        Ok(SendInvoice::schedule(n).schedule_in(tx)?)
    });
    soon("a transaction", scheduled).await
}

async fn orders(scheduler: &TaskScheduler) -> Vec<u64> {
    let read = scheduler.transact(|tx| {
        let orders = tx.open_table(ORDERS)?;
        let keys = orders.iter()?.map(|entry| entry.map(|(key, _)| key.value()));
        Ok::<_, Failure>(keys.collect::<Result<_, _>>()?)
    });
    soon("a look", read).await.unwrap()
}

async fn on_file(directory: &tempfile::TempDir) -> TaskScheduler {
    TaskScheduler::builder(directory.path().join("tasks.redb"))
        .detached()
        .only::<SendInvoice>()
        .start()
        .await
        .unwrap()
}

async fn on_disk(disk: &SimDisk) -> TaskScheduler {
    let opening =
        Opening { now: WallTime::from_millis(0), new_uuid: [1; 16], program: "transact tests".to_owned() };
    let store = RedbStore::open_on(Box::new(disk.clone()), StoreOptions::default(), opening).unwrap();
    SchedulerBuilder::on_store(Box::new(store)).detached().schedule_only().start().await.unwrap()
}

#[tokio::test]
async fn s6_6_rows_and_work_are_stored_together_and_the_work_runs() {
    let directory = tempfile::tempdir().unwrap();
    let scheduler = on_file(&directory).await;
    let receipt = order(&scheduler, 21).await.unwrap();
    assert_eq!(soon("the invoice", receipt.output()).await.unwrap(), 42);
    soon("the end", scheduler.shutdown(std::time::Duration::from_secs(10))).await;
    assert!(matches!(order(&scheduler, 1).await, Err(TransactError::ShuttingDown)));
    drop((scheduler, receipt));
    let scheduler = on_file(&directory).await;
    assert_eq!(orders(&scheduler).await, [21]);
    soon("the end", scheduler.shutdown(std::time::Duration::from_secs(10))).await;
}

#[tokio::test]
async fn s6_6_an_error_undoes_its_own_transaction_alone() {
    #[derive(Debug, PartialEq)]
    enum Refused {
        TooMany(u64),
    }
    let directory = tempfile::tempdir().unwrap();
    let scheduler = on_file(&directory).await;
    let refused = scheduler.transact(|tx| {
        tx.open_table(ORDERS).unwrap().insert(1, "chairs").unwrap();
        SendInvoice::schedule(1).id("invoice").schedule_in(tx).unwrap();
        Err::<(), _>(Refused::TooMany(1))
    });
    // Both stand in the writer's queue together.
    let (refused, kept) = tokio::join!(refused, SendInvoice::schedule(2).on(&scheduler).into_future());
    assert!(matches!(refused, Err(TransactError::Aborted(Refused::TooMany(1)))), "{refused:?}");
    soon("the other call", kept.unwrap().output()).await.unwrap();
    assert!(orders(&scheduler).await.is_empty());
    assert!(scheduler.info("invoice").await.is_err(), "the work is undone with it");
}

#[tokio::test]
async fn s6_6_a_panic_is_told_with_its_text_and_nobody_else_is_met() {
    let directory = tempfile::tempdir().unwrap();
    let scheduler = on_file(&directory).await;
    let panicked = scheduler.transact(|tx| {
        let mut orders = tx.open_table(ORDERS)?;
        orders.insert(1, "chairs")?;
        SendInvoice::schedule(1).schedule_in(tx)?;
        assert!(orders.len()? == 0, "no chairs of kind {}", 7);
        Ok::<_, Failure>(())
    });
    let (panicked, kept) = tokio::join!(panicked, SendInvoice::schedule(2).on(&scheduler).into_future());
    assert!(
        matches!(&panicked, Err(TransactError::Panicked(text)) if text == "no chairs of kind 7"),
        "{panicked:?}"
    );
    soon("the other call", kept.unwrap().output()).await.unwrap();
    assert!(orders(&scheduler).await.is_empty());
    assert_eq!(scheduler.health().await.unwrap().store, pushe_tasks::StoreHealth::Healthy);
}

#[tokio::test]
async fn what_a_closure_or_its_answer_leaves_behind_may_panic() {
    struct Trap;
    impl Drop for Trap {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "in drop");
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let scheduler = on_file(&directory).await;
    let trap = Trap;
    let told = scheduler.transact(move |_| {
        let _trap = &trap;
        Ok::<_, Failure>(())
    });
    assert!(matches!(told.await, Err(TransactError::Panicked(_))));
    // Nobody is there to take the answer, so that the writer drops it.
    let (gone, is_gone) = std::sync::mpsc::channel();
    let mut told = Box::pin(scheduler.transact(move |_| {
        is_gone.recv().expect("the test goes on");
        Ok::<_, Failure>(Trap)
    }));
    std::future::poll_fn(|cx| {
        let _ = told.as_mut().poll(cx);
        std::task::Poll::Ready(())
    })
    .await;
    drop(told);
    gone.send(()).expect("the closure waits");
    order(&scheduler, 3).await.expect("the writer goes on");
}

#[tokio::test]
async fn a_store_without_tables_of_the_application_says_so_and_runs_nothing() {
    let scheduler = TaskScheduler::in_memory().detached().schedule_only().start().await.unwrap();
    let ran = Arc::new(AtomicBool::new(false));
    let runs = Arc::clone(&ran);
    let answer = scheduler.transact(move |_| {
        runs.store(true, Ordering::SeqCst);
        Ok::<_, Failure>(())
    });
    assert!(matches!(answer.await, Err(TransactError::Unsupported)));
    assert!(!ran.load(Ordering::SeqCst));
    SendInvoice::schedule(1).on(&scheduler).await.expect("the store goes on");
}

#[tokio::test]
async fn blocking_on_the_same_scheduler_within_a_closure_is_an_error_and_no_deadlock() {
    let directory = tempfile::tempdir().unwrap();
    let scheduler = on_file(&directory).await;
    let inner = scheduler.clone();
    let told = scheduler.transact(move |tx| {
        let blocked = SendInvoice::schedule(1).on(&inner).blocking();
        assert!(matches!(blocked, Err(ScheduleError::WithinTransaction)), "{blocked:?}");
        let nested = inner.transact_blocking(|_| Ok::<_, Failure>(()));
        assert!(matches!(nested, Err(TransactError::WithinTransaction)), "{nested:?}");
        Ok::<_, Failure>(SendInvoice::schedule(1).schedule_in(tx)?)
    });
    let receipt = soon("a transaction", told).await.unwrap();
    soon("the invoice", receipt.output()).await.unwrap();
}

#[tokio::test]
async fn a_refused_piece_leaves_the_transaction_to_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let scheduler = on_file(&directory).await;
    let other = TaskScheduler::in_memory().detached().schedule_only().start().await.unwrap();
    let told = scheduler.transact(move |tx| {
        let elsewhere = SendInvoice::schedule(1).on(&other).schedule_in(tx);
        assert!(matches!(elsewhere, Err(ScheduleError::OtherScheduler)));
        let no_id = SendInvoice::schedule(1).id("").schedule_in(tx);
        assert!(matches!(no_id, Err(ScheduleError::Option(_))));
        tx.open_table(ORDERS)?.insert(5, "chairs")?;
        Ok::<_, Failure>(())
    });
    soon("a transaction", told).await.unwrap();
    assert_eq!(orders(&scheduler).await, [5]);
}

/// Runs a transaction on a disk whose syncs fail from the one that comes after `later` more; answers the ids in doubt.
async fn doubt(later: u64) -> Option<Vec<WorkId>> {
    let disk = SimDisk::new(later);
    let scheduler = on_disk(&disk).await;
    order(&scheduler, 1).await.unwrap();
    let fault = Fault { lasts: Lasts::Forever, ..Fault::next(&disk, Call::Sync) };
    disk.inject(Fault { at: fault.at + later, ..fault });
    let scheduled = Arc::new(std::sync::Mutex::new(None::<WorkId>));
    let seen = Arc::clone(&scheduled);
    let told = scheduler.transact(move |tx| {
        tx.open_table(ORDERS)?.insert(2, "chairs")?;
        let receipt = SendInvoice::schedule(2).schedule_in(tx)?;
        *seen.lock().unwrap() = Some(receipt.id());
        Ok::<_, Failure>(receipt.id())
    });
    let told = soon("a transaction", told).await;
    disk.heal();
    let next = order(&scheduler, 3).await.unwrap();
    scheduler.info(next.id()).await.unwrap();
    let rows = orders(&scheduler).await;
    assert!(rows.contains(&1) && rows.contains(&3));
    let id = *scheduled.lock().unwrap();
    let stored = match id {
        Some(id) => scheduler.info(id).await.is_ok(),
        None => false,
    };
    assert_eq!(rows.contains(&2), stored, "all of it or nothing");
    match told {
        Ok(id) => {
            assert!(stored, "{id} was told to be stored");
            None
        }
        Err(TransactError::Store(text)) => {
            assert!(!stored, "{text}");
            None
        }
        Err(TransactError::Indeterminate { work_ids, .. }) => {
            assert_eq!(work_ids, [id.unwrap()]);
            Some(work_ids)
        }
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn s7_5_a_commit_in_doubt_names_its_work() {
    let mut doubts = 0;
    for later in 0..4 {
        doubts += usize::from(doubt(later).await.is_some());
    }
    assert!(doubts > 0, "no commit was ever in doubt");
}
