//! Phase i: pieces through a store that stays as deep as it was. Time is given to the store, so that finished records
//! are pruned as they would be over months.

use std::sync::Arc;
use std::time::Duration;

use pushe_tasks::store::redb::{Opening, RedbStore, StoreOptions};
use pushe_tasks::store::{Body, ClaimRequest, Grant, Lane, LaneId, Settle, Settlement, Store, WallTime};
use pushe_tasks_bench_protocol::{Answer, Asked, now};

use super::{Failure, answer, file};
use crate::rate;
use crate::rows::new_work;

const DEPTH: u64 = 10_000;
const GROUP: usize = 1_000;
/// Longer than finished work is kept.
const STEP: Duration = Duration::from_secs(25 * 3600);

/// A store through which pieces pass in groups.
pub(crate) struct Churn {
    pub(crate) store: RedbStore,
    lane: Arc<Lane>,
    time: WallTime,
    sent: u64,
    pub(crate) settled: u64,
}

impl Churn {
    /// A new store with the usual depth.
    pub(crate) fn new(file: &std::path::Path) -> Result<Self, Failure> {
        let opening = Opening { now: WallTime::default(), new_uuid: [1; 16], program: "bench".to_owned() };
        let store = RedbStore::open(file, StoreOptions::default(), opening)?;
        let mut churn =
            Self { store, lane: Arc::new(Lane::of("Churn")), time: WallTime::default(), sent: 0, settled: 0 };
        while churn.sent < DEPTH {
            churn.enqueue()?;
        }
        Ok(churn)
    }

    fn enqueue(&mut self) -> Result<(), Failure> {
        let batch: Vec<_> =
            (self.sent..self.sent + GROUP as u64).map(|number| new_work(number, &self.lane)).collect();
        let (mut stored, now) = (Ok(Vec::new()), self.time);
        self.store.write(&mut |verbs| stored = verbs.enqueue(&batch, now))?;
        self.sent += stored?.len() as u64;
        Ok(())
    }

    /// A group in, a group claimed, a group settled, and a group pruned, in one commit each.
    pub(crate) fn pass(&mut self) -> Result<(), Failure> {
        self.time = self.time.plus(STEP);
        let now = self.time;
        self.enqueue()?;
        let request = ClaimRequest {
            now,
            limit: GROUP,
            grants: vec![Grant { permits: GROUP, lanes: vec![LaneId(1)] }],
            beside: None,
            passes_suspects: false,
        };
        let mut claimed = Ok(Vec::new());
        self.store.write(&mut |verbs| claimed = verbs.claim(&request))?;
        let settles: Vec<_> = claimed?
            .iter()
            .map(|claimed| Settle {
                attempt: claimed.attempt(),
                at: now,
                settlement: Settlement::Succeeded { output: None },
                body: Body::Ended,
            })
            .collect();
        let (mut settled, mut pruned) = (Ok(Vec::new()), Ok(0));
        self.store.write(&mut |verbs| {
            settled = verbs.settle(&settles);
            pruned = verbs.prune(now, 2 * GROUP);
        })?;
        self.settled += settled?.len() as u64;
        pruned?;
        Ok(())
    }
}

pub(super) fn churn(asked: &Asked) -> Result<Answer, Failure> {
    let (file, mut answer) = (file(asked), answer());
    let mut churn = Churn::new(&file)?;
    let warm = (asked.count as u64 / 20).max(50_000);
    let size = || std::fs::metadata(&file).map(|data| data.len() as f64);
    let (mut begun, mut before, mut first_rate) = (now(), 0.0, 0.0);
    while churn.settled < asked.count as u64 {
        churn.pass()?;
        if first_rate == 0.0 && churn.settled >= warm {
            (before, first_rate) = (size()?, rate(churn.settled, begun.elapsed()));
            begun = now();
        }
    }
    let after = size()?;
    answer.figure("sent", churn.settled as f64);
    answer.figure("file_mb", after / 1e6);
    answer.figure("growth_percent", (after - before) / before.max(1.0) * 100.0);
    answer.figure("per_second_first", first_rate);
    answer.figure("per_second", rate(churn.settled.saturating_sub(warm), begun.elapsed()));
    let mut left = Ok(Vec::new());
    let filter = pushe_tasks::store::Filter {
        states: vec![pushe_tasks::WorkState::Enqueued],
        tasks: Vec::new(),
        after: None,
        limit: usize::MAX,
    };
    churn.store.read(&mut |look| left = look.list(&filter))?;
    let left = left?.len() as u64;
    answer.verify(DEPTH.saturating_sub(left), left.saturating_sub(DEPTH), "the depth is what it was");
    Ok(answer)
}
