//! The verbs of every store that brings tables.

use crate::error::VerbError;
use crate::id::{Attempt, WorkId};
use crate::pause::{PauseScope, Paused};
use crate::tables::TablesMut;
use crate::time::WallTime;
use crate::transaction::Transaction;
use crate::verbs::at_once::AtOnce;
use crate::verbs::{
    Answers, CancelledPage, ClaimRequest, Claimed, Enqueued, Filter, LaneView, Look, Moved, NewWork, Page,
    Query, RescueRequest, Rescued, Settle, Settled, Target, Verbs, WorkView,
};
use crate::verbs::{
    cancel, claim, enqueue, expire, pause, progress, prune, release, requeue, rescue, settle, waits,
};

impl<T: TablesMut> Verbs for Transaction<'_, T> {
    fn enqueue(&mut self, batch: &[NewWork], now: WallTime) -> Result<Vec<Enqueued>, VerbError> {
        self.verb(|tx| enqueue::enqueue(tx, batch, now))
    }

    fn enqueue_each(&mut self, calls: &[&[NewWork]], now: WallTime) -> Answers {
        enqueue::enqueue_each(self, calls, now, &mut AtOnce::default())
    }

    fn enqueue_and_claim(&mut self, calls: &[&[NewWork]], request: &ClaimRequest) -> (Answers, Vec<Claimed>) {
        let request = pause::without_paused(self.volatile, request);
        let mut at_once = AtOnce::of(&request);
        let answers = enqueue::enqueue_each(self, calls, request.now, &mut at_once);
        (answers, at_once.into_claimed())
    }

    fn claim(&mut self, request: &ClaimRequest) -> Result<Vec<Claimed>, VerbError> {
        let request = pause::without_paused(self.volatile, request);
        self.verb(|tx| claim::claim(tx, &request))
    }

    fn settle(&mut self, batch: &[Settle]) -> Result<Vec<Settled>, VerbError> {
        self.verb(|tx| settle::settle(tx, batch))
    }

    fn release(&mut self, ended: &[Attempt], now: WallTime) -> Result<(), VerbError> {
        self.verb(|tx| release::release(tx, ended, now))
    }

    fn cancel(&mut self, target: &Target, now: WallTime) -> Result<Vec<Moved>, VerbError> {
        self.verb(|tx| cancel::cancel(tx, target, now))
    }

    fn cancel_page(&mut self, query: &Query, now: WallTime) -> Result<CancelledPage, VerbError> {
        self.verb(|tx| cancel::cancel_page(tx, query, now))
    }

    fn override_next(
        &mut self,
        target: &Target,
        at: Option<WallTime>,
        now: WallTime,
    ) -> Result<Vec<WorkId>, VerbError> {
        self.verb(|tx| waits::override_next(tx, target, at, now))
    }

    fn requeue(&mut self, work: WorkId, now: WallTime) -> Result<bool, VerbError> {
        self.verb(|tx| requeue::requeue(tx, work, now))
    }

    fn discard(&mut self, work: WorkId, now: WallTime) -> Result<bool, VerbError> {
        self.verb(|tx| requeue::discard(tx, work, now))
    }

    fn retry_now(&mut self, target: &Target, now: WallTime) -> Result<Vec<WorkId>, VerbError> {
        self.verb(|tx| waits::retry_now(tx, target, now))
    }

    fn pause(&mut self, scope: &PauseScope, now: WallTime) -> Result<(), VerbError> {
        self.verb(|tx| pause::pause(tx, scope, now))
    }

    fn resume(&mut self, scope: &PauseScope) -> Result<(), VerbError> {
        self.verb(|tx| pause::resume(tx, scope))
    }

    fn clamp(&mut self, now: WallTime) -> Result<usize, VerbError> {
        self.verb(|tx| waits::clamp(tx, now))
    }

    fn progress(&mut self, batch: &[(Attempt, Vec<u8>)]) -> Result<(), VerbError> {
        self.verb(|tx| progress::progress(tx, batch))
    }

    fn rescue(&mut self, request: &RescueRequest) -> Result<Rescued, VerbError> {
        self.verb(|tx| rescue::rescue(tx, request))
    }

    fn record_stop(&mut self) -> Result<(), VerbError> {
        self.verb(rescue::record_stop)
    }

    fn expire(&mut self, now: WallTime, limit: usize) -> Result<usize, VerbError> {
        self.verb(|tx| expire::expire(tx, now, limit))
    }

    fn prune(&mut self, now: WallTime, limit: usize) -> Result<usize, VerbError> {
        self.verb(|tx| prune::prune(tx, now, limit))
    }
}

impl<T: TablesMut> Look for Transaction<'_, T> {
    fn get(&self, id: WorkId) -> Result<Option<WorkView>, VerbError> {
        self.look().get(id)
    }

    fn newest_with_task_id(&self, task_id: &str) -> Result<Option<WorkView>, VerbError> {
        self.look().newest_with_task_id(task_id)
    }

    fn output(&self, id: WorkId) -> Result<Option<Vec<u8>>, VerbError> {
        self.look().output(id)
    }

    fn list(&self, filter: &Filter) -> Result<Vec<WorkView>, VerbError> {
        self.look().list(filter)
    }

    fn query(&self, query: &Query) -> Result<Page, VerbError> {
        self.look().query(query)
    }

    fn lanes(&self) -> Result<Vec<LaneView>, VerbError> {
        self.look().lanes()
    }

    fn paused(&self) -> Result<Paused, VerbError> {
        self.look().paused()
    }

    fn next_due(&self) -> Result<Option<WallTime>, VerbError> {
        self.look().next_due()
    }
}
