//! Starting new work in the very rows that store it: an attempt that begins with its enqueue costs no claim of its own.
//!
//! Invariant: what starts here would be started by a claim in the same transaction, before everything else. So nothing
//! starts here while anything ready stands before it, while a suspect waits or lives, or where permits are short; the claim
//! that follows sees to that.

use crate::error::VerbError;
use crate::id::{Attempt, LaneId};
use crate::index::class;
use crate::record::{Filed, WorkRecord};
use crate::rules::settlement;
use crate::spec::WorkSpec;
use crate::state::WorkState;
use crate::tables::TablesMut;
use crate::transaction::Transaction;
use crate::verbs::{ClaimRequest, Claimed, NewWork};

/// What may start at once, and what has been started.
#[derive(Debug, Default)]
pub(super) struct AtOnce<'r> {
    request: Option<&'r ClaimRequest>,
    /// What is left of the request.
    limit: usize,
    permits: Vec<usize>,
    claimed: Vec<Claimed>,
}

impl<'r> AtOnce<'r> {
    /// Starts what the request allows.
    pub(super) fn of(request: &'r ClaimRequest) -> Self {
        Self {
            request: Some(request),
            limit: request.limit,
            permits: request.grants.iter().map(|grant| grant.permits).collect(),
            claimed: Vec::new(),
        }
    }

    /// How many have been started: to take back what a failed verb has started.
    pub(super) fn count(&self) -> usize {
        self.claimed.len()
    }

    /// Forgets what was started after so many.
    pub(super) fn truncate(&mut self, count: usize) {
        self.claimed.truncate(count);
    }

    pub(super) fn into_claimed(self) -> Vec<Claimed> {
        self.claimed
    }

    /// Starts those of the new pieces that may start, before they are stored; all of them or none.
    pub(super) fn start<T: TablesMut>(
        &mut self,
        tx: &mut Transaction<'_, T>,
        new: &mut [(WorkRecord, Vec<u8>)],
        works: &[&NewWork],
    ) -> Result<(), VerbError> {
        let Some(request) = self.request.filter(|_| self.limit > 0 && !new.is_empty()) else { return Ok(()) };
        let (mut known, mut taken) = (None, vec![0; self.permits.len()]);
        let grants: Vec<_> = new
            .iter()
            .map(|(record, _)| {
                let grant =
                    may_start(record).then(|| grant_of(request, record.lane, &mut known)).flatten()?;
                taken[grant] += 1;
                Some(grant)
            })
            .collect();
        let wanted: usize = taken.iter().sum();
        let is_short =
            wanted > self.limit || taken.iter().zip(&self.permits).any(|(taken, left)| taken > left);
        if wanted == 0 || is_short || self.something_stands_before(tx, request)? {
            return Ok(());
        }
        for (((record, _), work), grant) in new.iter_mut().zip(works).zip(grants) {
            let Some(grant) = grant else { continue };
            settlement::claim(record, false, request.now);
            tx.volatile.body_began(Attempt { work: record.id, claim: record.claim }, record.id_hash);
            let spec = WorkSpec::new(None, work.options.clone(), work.envelope.clone());
            self.claimed.push(Claimed { record: record.clone(), spec });
            self.permits[grant] -= 1;
            self.limit -= 1;
        }
        Ok(())
    }

    fn something_stands_before<T: TablesMut>(
        &self,
        tx: &Transaction<'_, T>,
        request: &ClaimRequest,
    ) -> Result<bool, VerbError> {
        if tx.volatile.suspects() > 0 || tx.volatile.living().alone().is_some() {
            return Ok(true);
        }
        let granted = request.grants.iter().zip(&self.permits).filter(|(_, permits)| **permits > 0);
        let is_ready = |lane| tx.volatile.lanes().get(lane).is_some_and(|state| state.ready > 0);
        if granted.flat_map(|(grant, _)| &grant.lanes).any(is_ready) {
            return Ok(true);
        }
        // What has fallen due is filed as ready by the claim.
        for waiting in [class::DELAYED, class::FLEXIBLE] {
            if tx.look().first_time(waiting)?.is_some_and(|due| due <= request.now) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn may_start(record: &WorkRecord) -> bool {
    record.state == WorkState::Enqueued && record.filed == Filed::Ready && record.period.is_none()
}

/// Which grant names a lane; pieces that come together are mostly of one.
fn grant_of(
    request: &ClaimRequest,
    lane: LaneId,
    known: &mut Option<(LaneId, Option<usize>)>,
) -> Option<usize> {
    if let Some((last, grant)) = *known
        && last == lane
    {
        return grant;
    }
    // A lane that two grants name belongs to the first that has a permit.
    let names = |grant: &crate::verbs::Grant| grant.permits > 0 && grant.lanes.contains(&lane);
    let grant = request.grants.iter().position(names);
    *known = Some((lane, grant));
    grant
}
