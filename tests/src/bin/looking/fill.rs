//! The store that is looked at.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pushe_tasks::clock::{Clock as _, SystemClock};
use pushe_tasks::store::redb::{Opening, RedbStore, StoreOptions};
use pushe_tasks::store::{
    Body, ClaimRequest, Envelope, Grant, Lane, LaneId, NewWork, Policy, Settle, Settlement, Start,
    Store as _, StoredOptions, WallTime, WorkId,
};

use crate::Failed;

pub(crate) const TASK: &str = "Wait";

/// So many pieces go into one transaction.
const BATCH: u64 = 10_000;

/// The id of a piece that has finished.
pub(crate) fn finished(number: u64) -> WorkId {
    WorkId::from_parts(number, [0; 10])
}

/// The id of a piece that waits for its time, a day from now.
pub(crate) fn waiting(number: u64) -> WorkId {
    WorkId::from_parts(number, [1; 10])
}

/// The task id of a piece that waits.
pub(crate) fn task_id(number: u64) -> String {
    format!("wait/{number}")
}

pub(crate) fn opening() -> Opening {
    Opening { now: now(), new_uuid: [7; 16], program: "looking".to_owned() }
}

/// Fills it: all bear one tag, and three of those that wait another one beside it.
pub(crate) fn fill(path: &Path, records: u64) -> Result<(), Failed> {
    let mut store = RedbStore::open(path, StoreOptions::default(), opening())?;
    let (done, waits) = (Arc::new(Lane::of("Done")), Arc::new(Lane::of(TASK)));
    let mut next = 0;
    while next < records {
        let upto = records.min(next + BATCH);
        let batch: Vec<_> = (next..upto).map(|n| work(finished(n), &done, &["all"])).collect();
        write(&mut store, &batch)?;
        finish(&mut store, batch.len())?;
        let batch: Vec<_> = (next..upto)
            .map(|n| {
                let is_rare = n == 0 || n == records / 2 || n == records - 1;
                let mut work = work(waiting(n), &waits, if is_rare { &["all", "few"] } else { &["all"] });
                work.unique = Some((task_id(n), Policy::Keep));
                work.start = Start::After(Duration::from_secs(24 * 3600));
                work
            })
            .collect();
        write(&mut store, &batch)?;
        next = upto;
    }
    Ok(())
}

fn write(store: &mut RedbStore, batch: &[NewWork]) -> Result<(), Failed> {
    let mut stored = Ok(Vec::new());
    store.write(&mut |tx| stored = tx.enqueue(batch, now()))?;
    stored?;
    Ok(())
}

/// Claims what is ready, and lets it succeed.
fn finish(store: &mut RedbStore, pieces: usize) -> Result<(), Failed> {
    let grants = vec![Grant { permits: pieces, lanes: vec![LaneId(1)] }];
    let request = ClaimRequest { now: now(), limit: pieces, grants, ..ClaimRequest::default() };
    let mut claimed = Ok(Vec::new());
    store.write(&mut |tx| claimed = tx.claim(&request))?;
    let ends: Vec<_> = claimed?
        .iter()
        .map(|claim| Settle {
            attempt: claim.attempt(),
            at: now(),
            settlement: Settlement::Succeeded { output: None },
            body: Body::Ended,
        })
        .collect();
    if ends.len() != pieces {
        return Err("too few pieces could be started".into());
    }
    let mut settled = Ok(Vec::new());
    store.write(&mut |tx| settled = tx.settle(&ends))?;
    settled?;
    Ok(())
}

fn work(id: WorkId, lane: &Arc<Lane>, tags: &[&str]) -> NewWork {
    let mut options = StoredOptions::default();
    options.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    NewWork {
        id,
        lane: Arc::clone(lane),
        aliases: &[],
        unique: None,
        start: Start::After(Duration::ZERO),
        boost_millis: 0,
        options,
        envelope: Envelope { codec: 1, version: 1, fingerprint: 0, payload: vec![7; 100] },
    }
}

fn now() -> WallTime {
    SystemClock::new().wall()
}
