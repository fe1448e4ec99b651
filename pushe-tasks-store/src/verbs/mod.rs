//! The verbs: every transition of SEMANTICS that a store offers, as data in and data out.
//!
//! Invariant: a caller never reads, decides and writes: each verb decides within its transaction, so that no race can
//! be built out of them. A verb that fails changes nothing; the others of its group stand.

mod aside;
mod at_once;
mod cancel;
mod claim;
mod enqueue;
mod expire;
mod follow;
mod look;
mod merge;
mod over_tables;
mod pause;
mod policy;
mod progress;
mod prune;
mod query;
mod release;
mod requeue;
mod rescue;
mod settle;
mod suspect;
mod types;
mod update;
mod waits;

pub(crate) use look::Snapshot;
pub use types::{
    Body, CancelledPage, ClaimRequest, Claimed, Enqueued, Filter, Grant, How, Lane, LaneView, Moved, NewWork,
    Page, Policy, Query, RescueRequest, Rescued, Settle, Settled, Settlement, Start, StoreFacts,
    StoredConstraint, Target, WorkView,
};

use crate::change::Changes;
use crate::error::{StoreError, VerbError};
use crate::id::{Attempt, WorkId};
use crate::pause::{PauseScope, Paused};
use crate::time::WallTime;

/// One durable store, owned by one writer.
///
/// A store is bound to no runtime: `write` and `read` block until they are done, and are called from one thread.
/// It joins the project when `conformance` passes on it.
pub trait Store: Send {
    /// Opens one transaction, lets `body` apply verbs to it, and makes all of it durable.
    ///
    /// When this answers `Ok`, what the verbs answered is durable. When it answers an error, nothing that the verbs
    /// answered may be told to anyone: the kind says whether the transaction is known to be undone or in doubt.
    fn write(&mut self, body: &mut dyn FnMut(&mut dyn Verbs)) -> Result<Changes, StoreError>;

    /// Opens one transaction for `body` alone, with the application's own tables beside the verbs (S6.6), and makes it
    /// durable if `body` says so. Answers `None` where it did not, and nothing of the transaction stays.
    ///
    /// An error means what it means to `write`. A panic of `body` is its caller's, as it is there.
    #[cfg(feature = "redb")]
    fn transact(&mut self, body: &mut Transact<'_>) -> Result<Option<Changes>, StoreError> {
        let _ = body;
        Err(StoreError::Unsupported)
    }

    /// Lets `body` look at what is durable.
    fn read(&mut self, body: &mut dyn FnMut(&dyn Look)) -> Result<(), StoreError>;

    /// What one cannot know from the records: where it lives, how durable its commits are, what opening found.
    fn facts(&self) -> &StoreFacts;
}

/// What a transaction of the application does: verbs, and writes to tables of its own.
#[cfg(feature = "redb")]
pub type Transact<'b> = dyn FnMut(&mut dyn Verbs, &crate::redb::AppTables<'_>) -> Verdict + 'b;

/// Whether a transaction of the application is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of it.
    Commit,
    /// Nothing of it.
    Abort,
}

/// What became of each of many calls that schedule.
pub type Answers = Vec<Result<Vec<Enqueued>, VerbError>>;

/// The transitions, within one transaction.
pub trait Verbs: Look {
    /// Schedules pieces of work: all of them or none, judged in order (S4).
    ///
    /// A piece whose `WorkId` is stored already is not stored again: it answers `How::New` with that id, so that an
    /// enqueue in doubt can be repeated (S7.5).
    fn enqueue(&mut self, batch: &[NewWork], now: WallTime) -> Result<Vec<Enqueued>, VerbError>;

    /// Schedules for many callers: each call is all or none, and one that fails does not touch the others.
    fn enqueue_each(&mut self, calls: &[&[NewWork]], now: WallTime) -> Answers {
        calls.iter().map(|batch| self.enqueue(batch, now)).collect()
    }

    /// Schedules for many callers, as `enqueue_each`, and starts at once what of it may start and has nothing before it: that
    /// costs less than a claim of its own. The caller takes what was started off its next request.
    fn enqueue_and_claim(&mut self, calls: &[&[NewWork]], request: &ClaimRequest) -> (Answers, Vec<Claimed>) {
        (self.enqueue_each(calls, request.now), Vec::new())
    }

    /// Starts attempts of what may start, in the order of S1.21 over all lanes that the request names.
    ///
    /// Work that has fallen due is filed as ready first, at most 1,000 pieces a call; where that was not all, `next_due`
    /// is not later than the request's `now`, and the caller claims again. What does not read back is quarantined and
    /// passed over, and so is, without a move, work whose own body or whose task id's body still lives in this process:
    /// it may be claimed once `settle` or `release` has said that the body ended.
    ///
    /// A suspect, work that crashes have found running twice or more, starts alone (S7.3): when no body lives in this
    /// process, before all others. While it may start and other bodies live, nothing starts, unless the request passes it;
    /// while it lives, nothing starts beside it, unless the request names it.
    fn claim(&mut self, request: &ClaimRequest) -> Result<Vec<Claimed>, VerbError>;

    /// Ends attempts. A piece whose claim is not the one given answers `Fenced` and changes nothing, though its body is
    /// noted as ended.
    fn settle(&mut self, batch: &[Settle]) -> Result<Vec<Settled>, VerbError>;

    /// Notes that bodies that had been settled or fenced while they still lived have ended; releases what waited for that.
    fn release(&mut self, ended: &[Attempt], now: WallTime) -> Result<(), VerbError>;

    /// Cancels what the target names; answers each piece that was unfinished. Quarantined work is left as it is.
    fn cancel(&mut self, target: &Target, now: WallTime) -> Result<Vec<Moved>, VerbError>;

    /// Cancels the unfinished pieces of one page of a query; `newest_first` does not count.
    ///
    /// Work that stands behind cancelled work under its task id, and is not on the page, is released.
    fn cancel_page(&mut self, query: &Query, now: WallTime) -> Result<CancelledPage, VerbError>;

    /// Lets the next run of periodic work be at this moment, or where it would have been without one (S5.6); answers the
    /// pieces that the target names and that are unfinished and periodic.
    ///
    /// Of a running piece it is the run after this one. The claim of that run takes it.
    fn override_next(
        &mut self,
        target: &Target,
        at: Option<WallTime>,
        now: WallTime,
    ) -> Result<Vec<WorkId>, VerbError>;

    /// Enqueues failed or quarantined work anew (S1.15, S1.16); answers whether there is such a piece.
    ///
    /// It starts a new generation with its attempts, crashes and `expires` forgotten; its history stays. It takes its task id
    /// again, or answers `IdBusy`. Quarantined work behind which other work was appended goes to the end of that queue.
    fn requeue(&mut self, work: WorkId, now: WallTime) -> Result<bool, VerbError>;

    /// Ends quarantined work as Failed, with the reason for which it was set aside (S1.15); answers whether there is such a
    /// piece. Where its record does not read back, what else hangs on it is given up, but for its payload.
    fn discard(&mut self, work: WorkId, now: WallTime) -> Result<bool, VerbError>;

    /// Ends the delay or back-off of waiting work (S9.1); answers the pieces that the target names and that wait.
    ///
    /// Periodic work that waits for its slot has its next run now, as by `override_next`.
    fn retry_now(&mut self, target: &Target, now: WallTime) -> Result<Vec<WorkId>, VerbError>;

    /// Keeps work from starting, until `resume` (S9.1): no claim takes work of these tasks, though it falls due and expires as
    /// ever. Bodies that run go on. It holds over restarts.
    fn pause(&mut self, scope: &PauseScope, now: WallTime) -> Result<(), VerbError>;

    /// Lets work start again. All work is paused and resumed apart from single tasks.
    fn resume(&mut self, scope: &PauseScope) -> Result<(), VerbError>;

    /// Makes every wait by duration as long as it was to be, after the clock was set back (S8.1); answers how many moved.
    ///
    /// Times that name a moment of the wall clock stay. A slot of a period moves only where its wait has grown by more than
    /// the period. `rescue` does the same where it finds that the clock was set back while no process ran.
    fn clamp(&mut self, now: WallTime) -> Result<usize, VerbError>;

    /// Keeps the last progress of running attempts; stale ones are passed over.
    fn progress(&mut self, batch: &[(Attempt, Vec<u8>)]) -> Result<(), VerbError>;

    /// Enqueues orphans again: every Running piece whose body does not live in this process (S7).
    fn rescue(&mut self, request: &RescueRequest) -> Result<Rescued, VerbError>;

    /// Records that this process is stopping in order, so that no attempt of it is charged an interruption (S7.4).
    fn record_stop(&mut self) -> Result<(), VerbError>;

    /// Ends at most `limit` pieces whose expiry has passed before they were first claimed (S1.7); answers how many. No claim
    /// takes such a piece, whether or not this verb has ended it.
    fn expire(&mut self, now: WallTime, limit: usize) -> Result<usize, VerbError>;

    /// Removes at most `limit` finished records whose retention has passed; answers how many.
    fn prune(&mut self, now: WallTime, limit: usize) -> Result<usize, VerbError>;
}

/// What can be read.
pub trait Look {
    /// One piece of work.
    fn get(&self, id: WorkId) -> Result<Option<WorkView>, VerbError>;

    /// The newest piece that bears or bore the task id, finished or not.
    fn newest_with_task_id(&self, task_id: &str) -> Result<Option<WorkView>, VerbError>;

    /// The encoded output of a piece that succeeded; `None` for one that stored none.
    fn output(&self, id: WorkId) -> Result<Option<Vec<u8>>, VerbError>;

    /// One page of records in the order of their ids.
    fn list(&self, filter: &Filter) -> Result<Vec<WorkView>, VerbError>;

    /// One page of what a query names, in the order of ids (S9.2).
    ///
    /// A piece is shown as it stands when its page is made. One that is there all the time and is named all the time stands on
    /// exactly one of the pages that follow each other, whatever is stored and pruned between them.
    fn query(&self, query: &Query) -> Result<Page, VerbError>;

    /// All lanes, with how many pieces are ready in each.
    fn lanes(&self) -> Result<Vec<LaneView>, VerbError>;

    /// What is paused.
    fn paused(&self) -> Result<Paused, VerbError>;

    /// When the first delayed piece falls due.
    fn next_due(&self) -> Result<Option<WallTime>, VerbError>;
}
