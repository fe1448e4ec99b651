//! Transactions: rows of the application and scheduled work in one commit, or neither.
#![expect(clippy::unused_async, reason = "a task is an async fn, whether it waits for anything or not")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pushe_tasks::TransactError;
use pushe_tasks::prelude::*;
use pushe_tasks::redb::{ReadableTable, TableDefinition};

/// Orders by number, with what they cost: a table of the application in the scheduler's file.
const ORDERS: TableDefinition<'_, u64, u64> = TableDefinition::new("orders");

#[pushe_task(id = "confirm/{}")]
async fn confirm(order: u64, State(confirmed): State<Arc<AtomicU64>>) {
    confirmed.fetch_add(order, Ordering::SeqCst);
}

/// Stores an order together with the work that confirms it.
async fn place(scheduler: &TaskScheduler, order: u64, price: u64) -> Result<(), Box<dyn Error>> {
    let receipt = scheduler
        .transact(move |tx| {
            let mut orders = tx.open_table(ORDERS)?;
            orders.insert(order, price)?;
            let receipt = Confirm::schedule(order).schedule_in(tx)?;
            // Whatever goes wrong after this undoes both.
            if price == 0 { Err("an order for nothing".into()) } else { Ok(receipt) }
        })
        .await
        .map_err(|error: TransactError<Box<dyn Error + std::marker::Send + Sync>>| error.to_string())?;
    receipt.wait().await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let confirmed = Arc::new(AtomicU64::new(0));
    let builder = TaskScheduler::builder(directory.path().join("shop.redb")).state(Arc::clone(&confirmed));
    let scheduler = builder.start().await?;

    place(&scheduler, 7, 120).await?;
    let error = place(&scheduler, 8, 0).await.unwrap_err();
    assert_eq!(error.to_string(), "the transaction was given up: an order for nothing");

    let orders: Vec<u64> = scheduler
        .transact(|tx| {
            let orders = tx.open_table(ORDERS)?;
            let numbers = orders.iter()?.map(|row| Ok(row?.0.value()));
            numbers.collect::<Result<_, Box<dyn Error + std::marker::Send + Sync>>>()
        })
        .await?;
    assert_eq!((orders, confirmed.load(Ordering::SeqCst)), (vec![7], 7));
    assert!(scheduler.info("confirm/8").await.is_err(), "nothing was scheduled for it");
    scheduler.shutdown(Duration::from_secs(5)).await;
    Ok(())
}
