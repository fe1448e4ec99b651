//! The same work on a store without an engine, thread or timer: what is counted here repeats.

use std::path::Path;
use std::sync::Arc;

use pushe_tasks::store::redb::{DiskCounts, Opening, RedbStore, StoreOptions};
use pushe_tasks::store::{Body, ClaimRequest, Grant, Lane, LaneId, Settle, Settlement, Store, WallTime};

use crate::ours::Failure;
use crate::rows::new_work;

/// A store with what has been put into it.
pub(crate) struct StoreWork {
    pub(crate) store: RedbStore,
    lane: Arc<Lane>,
    now: WallTime,
    sent: u64,
}

impl StoreWork {
    /// A new store in this file.
    pub(crate) fn new(file: &Path) -> Result<Self, Failure> {
        let now = WallTime::from_millis(1_800_000_000_000);
        let opening = Opening { now, new_uuid: [1; 16], program: "bench".to_owned() };
        let store = RedbStore::open(file, StoreOptions::default(), opening)?;
        Ok(Self { store, lane: Arc::new(Lane::of("Measured")), now, sent: 0 })
    }

    /// One commit: so many calls of `schedule`, each with so many pieces.
    pub(crate) fn enqueue(&mut self, calls: u64, pieces: u64) -> Result<(), Failure> {
        let batches: Vec<Vec<_>> = (0..calls)
            .map(|call| {
                let from = self.sent + call * pieces;
                (from..from + pieces).map(|number| new_work(number, &self.lane)).collect()
            })
            .collect();
        let calls_of: Vec<_> = batches.iter().map(Vec::as_slice).collect();
        let (now, mut stored) = (self.now, Vec::new());
        self.store.write(&mut |verbs| stored = verbs.enqueue_each(&calls_of, now))?;
        for answer in stored {
            answer?;
        }
        self.sent += calls * pieces;
        Ok(())
    }

    /// Two commits: so many are claimed, and then settled; answers how many there were.
    pub(crate) fn run(&mut self, pieces: usize) -> Result<u64, Failure> {
        let grants = vec![Grant { permits: pieces, lanes: vec![LaneId(1)] }];
        let request = ClaimRequest { now: self.now, limit: pieces, grants, ..ClaimRequest::default() };
        let mut claimed = Ok(Vec::new());
        self.store.write(&mut |verbs| claimed = verbs.claim(&request))?;
        let settles: Vec<_> = claimed?
            .iter()
            .map(|claimed| Settle {
                attempt: claimed.attempt(),
                at: self.now,
                settlement: Settlement::Succeeded { output: None },
                body: Body::Ended,
            })
            .collect();
        let mut settled = Ok(Vec::new());
        self.store.write(&mut |verbs| settled = verbs.settle(&settles))?;
        Ok(settled?.len() as u64)
    }

    /// What has been asked of the disk so far.
    pub(crate) fn disk(&self) -> DiskCounts {
        self.store.disk_counts()
    }
}
