//! The tasks of one engine with their permits (S10.1).
//!
//! Invariant: of a task, never more bodies live than its permits, but for zombies, whose permits have been taken back.

use std::time::Duration;

use pushe_tasks_store::LaneId;

use super::contention::Contention;
use super::credit::Account;
use super::spread::Pace;
use crate::clock::MonoTime;
use crate::entry::TaskEntry;

/// One task as the dispatcher sees it.
#[derive(Debug)]
pub(super) struct TaskState {
    pub(super) entry: TaskEntry,
    /// The most bodies that may live at once.
    limit: u64,
    /// Bodies that hold a permit now.
    pub(super) running: u64,
    /// Claims that the dispatcher has been told of since the engine started.
    seen: u64,
    /// Its lanes, under its name and its aliases.
    pub(super) lanes: Vec<LaneId>,
    /// Whether the writer's account of this task may be out of date.
    pub(super) dirty: bool,
    /// What the writer was last told.
    told: Account,
    /// A release of its work that is being spread.
    pace: Option<Pace>,
    /// Since when it has had more work than permits; written when its account is looked at.
    pub(super) contention: Contention,
}

impl TaskState {
    pub(super) fn new(entry: TaskEntry, max_running: u64) -> Self {
        let limit = entry.concurrency_limit().map_or(max_running, u64::from);
        Self {
            entry,
            limit,
            running: 0,
            seen: 0,
            lanes: Vec::new(),
            dirty: true,
            told: Account::default(),
            pace: None,
            contention: Contention::default(),
        }
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn is_full(&self) -> bool {
        self.running >= self.limit
    }

    pub(super) fn take_permit(&mut self) {
        self.seen += 1;
        self.running += 1;
        self.dirty = true;
    }

    pub(super) fn return_permit(&mut self) {
        self.running -= 1;
        self.dirty = true;
    }

    /// So many pieces of it, which a constraint has held, may start now.
    pub(super) fn release(&mut self, pieces: u64, now: MonoTime, spread: Duration) {
        let free = self.limit.saturating_sub(self.running);
        self.pace = Pace::new(pieces, self.seen, free, now, spread);
        self.dirty = true;
    }

    /// When a release that is being spread lets more go.
    pub(super) fn next_release(&self, now: MonoTime) -> Option<MonoTime> {
        self.pace.map(|pace| pace.next(now))
    }

    /// From when until when a release is spread that lets no more go at this moment.
    pub(super) fn spreads(&self, now: MonoTime) -> Option<(MonoTime, MonoTime)> {
        let pace = self.pace?;
        let allowed = pace.allowed(now)?;
        (allowed <= self.seen && !self.is_full()).then(|| pace.span())
    }

    /// What the writer may claim of this task, where that is not what it was last told.
    pub(super) fn new_account(
        &mut self,
        now: MonoTime,
        is_open: impl Fn(&LaneId) -> bool,
    ) -> Option<Account> {
        self.dirty = false;
        let lanes = self.lanes.iter().copied().filter(is_open).collect();
        let free = self.seen + self.limit.saturating_sub(self.running);
        let allowed = self.pace.map(|pace| pace.allowed(now));
        if allowed == Some(None) {
            self.pace = None;
        }
        let total = allowed.flatten().map_or(free, |allowed| allowed.min(free));
        let account = Account { total, lanes };
        if account == self.told {
            return None;
        }
        self.told.clone_from(&account);
        Some(account)
    }
}
