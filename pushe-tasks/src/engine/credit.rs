//! How the dispatcher lets the writer claim without being asked: a standing credit.
//!
//! Work that can start at once is claimed in the very commit that enqueues it, so the writer has to know beforehand what
//! may start. The dispatcher grants; the writer spends.
//!
//! Invariant: grants are totals since the engine started, never amounts. A grant that crosses a claim on its way is
//! therefore no promise of a second one: total granted − total claimed is what is left, whoever learns of it late.

use std::collections::HashMap;

use pushe_tasks_store::{Attempt, ClaimRequest, Claimed, Grant, LaneId, WallTime};

/// A change of what may be claimed; what it does not name stays as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CreditUpdate {
    /// Attempts that may have been claimed in total.
    pub(crate) total: u64,
    /// Accounts that changed.
    pub(crate) accounts: Vec<(usize, Account)>,
    /// What may start beside suspects.
    pub(crate) turn: Turn,
}

/// How suspects and others stand to each other (S7.3), as a claim's request has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) beside: Option<Attempt>,
    pub(crate) passes_suspects: bool,
}

/// The permits of one task, with the lanes that share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Attempts of this task that may have been claimed in total.
    pub(crate) total: u64,
    /// The lanes that are open now.
    pub(crate) lanes: Vec<LaneId>,
}

/// The writer's side: what was granted and what has been spent of it.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    total: u64,
    spent: u64,
    accounts: Vec<Spending>,
    /// Whose account a claim is spent from; a closed lane keeps its entry, since its last claims may be on their way.
    owners: HashMap<LaneId, usize>,
    /// The next request, kept so that a commit costs no allocation.
    request: ClaimRequest,
}

#[derive(Debug, Default)]
struct Spending {
    total: u64,
    spent: u64,
}

impl Credit {
    pub(crate) fn update(&mut self, update: CreditUpdate) {
        self.total = update.total;
        self.request.beside = update.turn.beside;
        self.request.passes_suspects = update.turn.passes_suspects;
        for (index, account) in update.accounts {
            if self.accounts.len() <= index {
                self.accounts.resize_with(index + 1, Spending::default);
                self.request.grants.resize_with(index + 1, Grant::default);
            }
            self.accounts[index].total = account.total;
            self.owners.extend(account.lanes.iter().map(|lane| (*lane, index)));
            self.request.grants[index].lanes = account.lanes;
        }
    }

    /// What may be claimed now. Where that is nothing, the claim still files due work as ready.
    pub(crate) fn request(&mut self, now: WallTime) -> &ClaimRequest {
        self.request.now = now;
        self.request.limit = left(self.total, self.spent);
        for (account, grant) in self.accounts.iter().zip(&mut self.request.grants) {
            grant.permits = left(account.total, account.spent);
        }
        &self.request
    }

    /// Notes what was claimed.
    pub(crate) fn spend(&mut self, claimed: &[Claimed]) {
        self.spent += claimed.len() as u64;
        for claim in claimed {
            if let Some(index) = self.owners.get(&claim.record.lane) {
                self.accounts[*index].spent += 1;
            }
        }
    }

    /// Takes back what was claimed in a transaction that did not become durable.
    pub(crate) fn refund(&mut self, claimed: &[Claimed]) {
        self.spent -= claimed.len() as u64;
        for claim in claimed {
            if let Some(index) = self.owners.get(&claim.record.lane) {
                self.accounts[*index].spent -= 1;
            }
        }
    }
}

fn left(total: u64, spent: u64) -> usize {
    usize::try_from(total.saturating_sub(spent)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(total: u64, task: u64, lanes: &[u32]) -> CreditUpdate {
        let lanes = lanes.iter().copied().map(LaneId).collect();
        CreditUpdate { total, accounts: vec![(0, Account { total: task, lanes })], turn: Turn::default() }
    }

    fn left(credit: &mut Credit) -> (usize, usize) {
        let request = credit.request(WallTime::default());
        let Grant { permits, lanes } = &request.grants[0];
        (request.limit, if lanes.is_empty() { 0 } else { *permits })
    }

    fn spend(credit: &mut Credit, count: u64) {
        credit.spent += count;
        credit.accounts[0].spent += count;
    }

    #[test]
    fn a_grant_that_crosses_a_claim_gives_nothing_twice() {
        let mut credit = Credit::default();
        credit.update(update(2, 2, &[7]));
        assert_eq!(left(&mut credit), (2, 2));
        spend(&mut credit, 2);
        // The dispatcher has not yet seen the claims and repeats itself.
        credit.update(update(2, 2, &[7]));
        assert_eq!(left(&mut credit), (0, 0));
        // One of them has ended.
        credit.update(update(3, 3, &[7]));
        assert_eq!(left(&mut credit), (1, 1));
    }

    #[test]
    fn credit_is_withdrawn_by_closing_lanes_or_lowering_totals() {
        let mut credit = Credit::default();
        credit.update(update(5, 5, &[7]));
        credit.update(update(5, 5, &[]));
        assert_eq!(left(&mut credit), (5, 0));
        credit.update(update(5, 5, &[7]));
        spend(&mut credit, 3);
        credit.update(update(1, 5, &[7]));
        assert_eq!(left(&mut credit), (0, 2));
    }
}
