//! What cases speak: a store, a clock that they move, and short forms of the verbs that check what every call must keep.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::change::Changes;
use crate::conformance::Harness;
use crate::error::VerbError;
use crate::id::{Attempt, LaneId, WorkId};
use crate::pause::PauseScope;
use crate::record::{Blocked, Filed};
use crate::spec::{Envelope, StoredOptions};
use crate::state::{AttemptEnd, Reason, WorkState};
use crate::time::WallTime;
use crate::verbs::{
    Body, ClaimRequest, Claimed, Enqueued, Filter, Grant, Lane, Look, Moved, NewWork, Page, Policy, Query,
    RescueRequest, Rescued, Settle, Settled, Settlement, Start, Target, Verbs, WorkView,
};

/// The boot of the machine that cases run on.
pub(crate) const BOOT: [u8; 16] = [7; 16];

/// A store under test.
pub(crate) struct World {
    /// Always there, but for the moment in which it is opened again.
    harness: Option<Box<dyn Harness>>,
    /// The present moment.
    pub(crate) now: WallTime,
    /// What the last transaction changed.
    pub(crate) changes: Changes,
    pieces: u64,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("now", &self.now).finish_non_exhaustive()
    }
}

impl World {
    pub(crate) fn new(harness: Box<dyn Harness>) -> Self {
        let now = WallTime::from_millis(1_800_000_000_000);
        Self { harness: Some(harness), now, changes: Changes::default(), pieces: 0 }
    }

    fn harness(&mut self) -> &mut dyn Harness {
        self.harness.as_mut().expect("the store is there").as_mut()
    }

    // Time and restarts.

    pub(crate) fn advance(&mut self, millis: u64) {
        self.now = self.now.plus(Duration::from_millis(millis));
    }

    /// Ends the process without a word and starts another, which rescues nothing yet.
    pub(crate) fn reopen(&mut self) {
        let closed = self.harness.take().expect("the store is there");
        self.harness = Some(closed.reopen());
    }

    pub(crate) fn restart(&mut self) -> Rescued {
        self.reopen();
        self.rescue()
    }

    // Transactions.

    pub(crate) fn write<R>(&mut self, mut body: impl FnMut(&mut dyn Verbs) -> R) -> R {
        let mut answer = None;
        let changes = self.harness().store().write(&mut |tx| answer = Some(body(tx)));
        let changes = changes.expect("the store commits");
        assert!(changes.commit >= self.changes.commit, "the number of a commit falls");
        self.changes = changes;
        answer.expect("the body is called")
    }

    pub(crate) fn read<R>(&mut self, mut body: impl FnMut(&dyn Look) -> R) -> R {
        let mut answer = None;
        self.harness().store().read(&mut |look| answer = Some(body(look))).expect("the store reads");
        answer.expect("the body is called")
    }

    pub(crate) fn facts(&mut self) -> crate::StoreFacts {
        self.harness().store().facts().clone()
    }

    // Pieces.

    /// A piece of the task, due at once, without a task id.
    pub(crate) fn work(&mut self, task: &str) -> NewWork {
        self.pieces += 1;
        let millis = u64::try_from(self.now.as_millis()).unwrap_or(0);
        let number = self.pieces.to_be_bytes();
        let mut random = [0; 10];
        // Ids that do not grow as the pieces do, so that no order can hang on them.
        random[1] = number[7].wrapping_mul(157);
        random[3..].copy_from_slice(&number[1..]);
        let payload = number.to_vec();
        NewWork {
            id: WorkId::from_parts(millis, random),
            lane: Arc::new(Lane::of(task)),
            aliases: &[],
            unique: None,
            start: Start::After(Duration::ZERO),
            boost_millis: 0,
            options: StoredOptions::default(),
            envelope: Envelope { codec: 1, version: 1, fingerprint: 5, payload },
        }
    }

    pub(crate) fn unique(&mut self, task_id: &str, policy: Policy) -> NewWork {
        NewWork { unique: Some((task_id.to_owned(), policy)), ..self.work("Upload") }
    }

    pub(crate) fn try_enqueue(&mut self, batch: &[NewWork]) -> Result<Vec<Enqueued>, VerbError> {
        let now = self.now;
        self.write(|tx| tx.enqueue(batch, now))
    }

    /// Enqueues one piece, which the store must take.
    pub(crate) fn enqueue(&mut self, work: &NewWork) -> Enqueued {
        let answer = self.try_enqueue(std::slice::from_ref(work)).expect("the piece is taken");
        assert_eq!(answer.len(), 1, "one answer a piece");
        answer.into_iter().next().expect("one answer")
    }

    /// Enqueues a plain piece.
    pub(crate) fn plain(&mut self) -> WorkId {
        let work = self.work("Upload");
        self.enqueue(&work).id
    }

    /// Enqueues a piece under a task id.
    pub(crate) fn add(&mut self, task_id: &str, policy: Policy) -> Enqueued {
        let work = self.unique(task_id, policy);
        self.enqueue(&work)
    }

    // Attempts.

    pub(crate) fn lane_ids(&mut self) -> Vec<LaneId> {
        self.read(|look| look.lanes()).expect("lanes read").into_iter().map(|view| view.id).collect()
    }

    pub(crate) fn claim_of(&mut self, limit: usize, grants: Vec<Grant>) -> Vec<Claimed> {
        let request = ClaimRequest { now: self.now, limit, grants, ..ClaimRequest::default() };
        self.write(|tx| tx.claim(&request)).expect("the claim is carried out")
    }

    /// Claims from all lanes, by a request that the case amends.
    pub(crate) fn claim_by(&mut self, limit: usize, amend: impl FnOnce(&mut ClaimRequest)) -> Vec<Attempt> {
        let grants = vec![Grant { permits: limit, lanes: self.lane_ids() }];
        let mut request = ClaimRequest { now: self.now, limit, grants, ..ClaimRequest::default() };
        amend(&mut request);
        let claimed = self.write(|tx| tx.claim(&request)).expect("the claim is carried out");
        claimed.iter().map(Claimed::attempt).collect()
    }

    /// Claims from all lanes.
    pub(crate) fn claim(&mut self, limit: usize) -> Vec<Attempt> {
        self.claim_by(limit, |_| ())
    }

    /// Claims one piece, which must be this one.
    pub(crate) fn start(&mut self, work: WorkId) -> Attempt {
        let claimed = self.claim(1);
        assert_eq!(claimed.iter().map(|attempt| attempt.work).collect::<Vec<_>>(), [work], "what starts");
        claimed[0]
    }

    pub(crate) fn settle_all(&mut self, batch: &[Settle]) -> Vec<Settled> {
        self.write(|tx| tx.settle(batch)).expect("the settle is carried out")
    }

    pub(crate) fn settle_as(&mut self, attempt: Attempt, settlement: Settlement, body: Body) -> Settled {
        let settled = self.settle_all(&[Settle { attempt, at: self.now, settlement, body }]);
        assert_eq!(settled.len(), 1, "one answer a settle");
        settled[0]
    }

    /// Settles an attempt whose body has ended; the store must apply it.
    pub(crate) fn settle(&mut self, attempt: Attempt, settlement: Settlement) {
        assert_eq!(self.settle_as(attempt, settlement, Body::Ended), Settled::Applied);
    }

    pub(crate) fn succeed(&mut self, attempt: Attempt) {
        self.settle(attempt, Settlement::Succeeded { output: None });
    }

    pub(crate) fn fail(&mut self, attempt: Attempt) {
        self.settle(attempt, failure("boom"));
    }

    pub(crate) fn quarantine(&mut self, attempt: Attempt) {
        let error = "does not decode".to_owned();
        self.settle(attempt, Settlement::Quarantine { reason: Reason::Payload, error });
    }

    pub(crate) fn release(&mut self, attempt: Attempt) {
        let now = self.now;
        self.write(|tx| tx.release(&[attempt], now)).expect("the release is carried out");
    }

    pub(crate) fn cancel(&mut self, target: &Target) -> Vec<Moved> {
        let now = self.now;
        self.write(|tx| tx.cancel(target, now)).expect("the cancel is carried out")
    }

    pub(crate) fn cancel_work(&mut self, work: WorkId) -> Vec<Moved> {
        self.cancel(&Target::Work(work))
    }

    pub(crate) fn try_requeue(&mut self, work: WorkId) -> Result<bool, VerbError> {
        let now = self.now;
        self.write(|tx| tx.requeue(work, now))
    }

    pub(crate) fn requeue(&mut self, work: WorkId) {
        assert_eq!(self.try_requeue(work), Ok(true), "the piece is requeued");
    }

    pub(crate) fn discard(&mut self, work: WorkId) -> Result<bool, VerbError> {
        let now = self.now;
        self.write(|tx| tx.discard(work, now))
    }

    pub(crate) fn retry_now(&mut self, target: &Target) -> Result<Vec<WorkId>, VerbError> {
        let now = self.now;
        self.write(|tx| tx.retry_now(target, now))
    }

    pub(crate) fn pause(&mut self, scope: &PauseScope) {
        let now = self.now;
        self.write(|tx| tx.pause(scope, now)).expect("the pause is carried out");
    }

    pub(crate) fn resume(&mut self, scope: &PauseScope) {
        self.write(|tx| tx.resume(scope)).expect("the resume is carried out");
    }

    pub(crate) fn rescue_with(&mut self, boot: Option<[u8; 16]>) -> Rescued {
        self.rescue_by(|request| request.boot = boot)
    }

    /// Rescues by a request that the case amends.
    pub(crate) fn rescue_by(&mut self, amend: impl FnOnce(&mut RescueRequest)) -> Rescued {
        let mut request = RescueRequest::new(self.now, Some(BOOT));
        amend(&mut request);
        self.write(|tx| tx.rescue(&request)).expect("the rescue is carried out")
    }

    pub(crate) fn rescue(&mut self) -> Rescued {
        self.rescue_with(Some(BOOT))
    }

    pub(crate) fn prune(&mut self, limit: usize) -> usize {
        let now = self.now;
        self.write(|tx| tx.prune(now, limit)).expect("the prune is carried out")
    }

    pub(crate) fn expire(&mut self, limit: usize) -> usize {
        let now = self.now;
        self.write(|tx| tx.expire(now, limit)).expect("the expiry is carried out")
    }

    // Looking.

    pub(crate) fn find(&mut self, work: WorkId) -> Option<WorkView> {
        self.read(|look| look.get(work)).expect("the piece reads")
    }

    pub(crate) fn get(&mut self, work: WorkId) -> WorkView {
        self.find(work).expect("the piece is stored")
    }

    pub(crate) fn state(&mut self, work: WorkId) -> WorkState {
        self.get(work).record.state
    }

    /// The state, and what a Blocked piece waits for.
    pub(crate) fn stands(&mut self, work: WorkId) -> (WorkState, Option<Blocked>) {
        let record = self.get(work).record;
        (record.state, record.blocked)
    }

    pub(crate) fn query(&mut self, query: &Query) -> Page {
        self.read(|look| look.query(query)).expect("the page reads")
    }

    pub(crate) fn list(&mut self, states: &[WorkState]) -> Vec<WorkView> {
        let filter = Filter { states: states.to_vec(), tasks: Vec::new(), after: None, limit: usize::MAX };
        self.read(|look| look.list(&filter)).expect("the page reads")
    }

    /// Checks that what the store counts and indexes equals what its records say (I15), seen through the verbs and,
    /// where the harness can, below them.
    pub(crate) fn check(&mut self) {
        let views = self.list(&[]);
        let mut ready = BTreeMap::<LaneId, u64>::new();
        let (mut next_due, mut sequences) = (None::<WallTime>, Vec::new());
        for view in &views {
            let record = &view.record;
            sequences.push(record.sequence);
            assert_eq!(record.state == WorkState::Blocked, record.blocked.is_some(), "{record:?}");
            assert_eq!(record.state.is_finished(), record.finished_at.is_some(), "{record:?}");
            if record.state == WorkState::Enqueued {
                match record.filed {
                    Filed::Ready => *ready.entry(record.lane).or_default() += 1,
                    Filed::Delayed | Filed::Flexible => {
                        next_due = Some(next_due.map_or(record.due, |due| due.min(record.due)));
                    }
                }
            }
        }
        sequences.sort_unstable();
        sequences.dedup();
        assert_eq!(sequences.len(), views.len(), "no two records share a sequence number");
        let lanes = self.read(|look| look.lanes()).expect("lanes read");
        for view in lanes {
            assert_eq!(view.ready, ready.remove(&view.id).unwrap_or(0), "ready pieces of {:?}", view.lane);
        }
        assert!(ready.is_empty(), "every lane is listed: {ready:?}");
        assert_eq!(self.read(|look| look.next_due()), Ok(next_due), "the time index");
        if let Err(problem) = self.harness().check() {
            panic!("indexes and records do not agree: {problem}");
        }
    }
}

pub(crate) fn failure(error: &str) -> Settlement {
    Settlement::Failed { end: AttemptEnd::Failed, reason: Reason::Fail, error: error.to_owned() }
}

pub(crate) fn retry(after_millis: u64) -> Settlement {
    let after = Duration::from_millis(after_millis);
    Settlement::Retry { end: AttemptEnd::Retried, error: "again".to_owned(), after }
}

pub(crate) fn give_back() -> Settlement {
    Settlement::Return { reason: Reason::ConstraintLost }
}

pub(crate) fn after(millis: u64) -> Start {
    Start::After(Duration::from_millis(millis))
}
