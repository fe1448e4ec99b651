//! Tests of the embedded store as a whole.

mod app;
mod cuts;
mod faults;
mod openings;
mod places;
mod rot;
mod salvage;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::{
    Attempt, Body, ClaimRequest, Claimed, Envelope, Filter, Grant, Lane, LaneId, NewWork, Settle, Settlement,
    Start, StoredOptions, WallTime, WorkId, WorkState,
};

const NOW: WallTime = WallTime::from_millis(1_795_500_619_000);

fn opening(uuid: u8) -> Opening {
    Opening { now: NOW, new_uuid: [uuid; 16], program: "store tests".to_owned() }
}

fn open(path: impl AsRef<Path>) -> Result<RedbStore, OpenError> {
    RedbStore::open(path, StoreOptions::default(), opening(1))
}

fn open_sim(disk: &SimDisk) -> Result<RedbStore, OpenError> {
    RedbStore::open_on(Box::new(disk.clone()), StoreOptions::default(), opening(1))
}

fn id(n: u64) -> WorkId {
    WorkId::from_parts(n, [0; 10])
}

fn work(n: u64, bytes: usize) -> NewWork {
    NewWork {
        id: id(n),
        lane: Arc::new(Lane::of("Upload")),
        aliases: &[],
        unique: None,
        start: Start::After(Duration::ZERO),
        boost_millis: 0,
        options: StoredOptions::default(),
        envelope: Envelope { codec: 1, version: 1, fingerprint: 0, payload: vec![7; bytes] },
    }
}

fn enqueue(store: &mut RedbStore, n: u64) -> Result<Changes, StoreError> {
    enqueue_sized(store, n, 100)
}

fn enqueue_sized(store: &mut RedbStore, n: u64, bytes: usize) -> Result<Changes, StoreError> {
    // A verb that meets a failing table says so, and `write` answers the error.
    store.write(&mut |tx| drop(tx.enqueue(&[work(n, bytes)], NOW)))
}

fn claim(store: &mut RedbStore, limit: usize) -> Result<Vec<Attempt>, StoreError> {
    let grants = vec![Grant { permits: limit, lanes: vec![LaneId(1)] }];
    let request = ClaimRequest { now: NOW, limit, grants, ..ClaimRequest::default() };
    let mut claimed = Vec::new();
    store.write(&mut |tx| claimed = tx.claim(&request).unwrap_or_default())?;
    Ok(claimed.iter().map(Claimed::attempt).collect())
}

fn succeed(store: &mut RedbStore, attempts: &[Attempt]) -> Result<Changes, StoreError> {
    let settles: Vec<_> = attempts
        .iter()
        .map(|attempt| Settle {
            attempt: *attempt,
            at: NOW,
            settlement: Settlement::Succeeded { output: None },
            body: Body::Ended,
        })
        .collect();
    store.write(&mut |tx| drop(tx.settle(&settles)))
}

/// The pieces in these states; none for all.
fn ids(store: &mut RedbStore, states: &[WorkState]) -> BTreeSet<WorkId> {
    let filter = Filter { states: states.to_vec(), tasks: Vec::new(), after: None, limit: usize::MAX };
    let mut found = BTreeSet::new();
    store
        .read(&mut |look| found = look.list(&filter).unwrap().iter().map(|view| view.record.id).collect())
        .unwrap();
    found
}

/// Runs this test binary again, with one test and one variable, so that the test finds itself in a process of its own.
fn child(test: &str, variable: &str, value: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(variable, value);
    command
}

/// Tells the process that started this one.
fn say(line: &str) {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "{line}").unwrap();
}
