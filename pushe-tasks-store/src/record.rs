//! The state of one piece of work as it is stored: the small row that claim and settle rewrite.
//!
//! Invariant: the row alone says where the work stands in every index (see `index`); payload and options, which never
//! change while it runs, stand apart in its `WorkSpec`.

use std::time::Duration;

use crate::id::{LaneId, WorkId};
use crate::opaque::Opaque;
use crate::period::PeriodRecord;
use crate::state::{AttemptEnd, Reason, WorkState};
use crate::time::WallTime;

mod stored;

/// How many ended attempts a record remembers.
pub const HISTORY: usize = 10;

/// What the store knows of one piece of work, apart from its payload and options.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct WorkRecord {
    /// Its id.
    pub id: WorkId,
    /// Store sequence number: settles ties and the order under one task id.
    pub sequence: u64,
    /// Grows when new payload and options take the place of the old under the same id.
    pub generation: u32,
    /// Whether that happened during its running attempt, which goes on under the old ones; taken off by the end of that.
    pub updated: bool,
    /// Whether the start of a program scheduled it.
    pub automatic: bool,
    /// Where it stands.
    pub state: WorkState,
    /// Why it stands there, where there is more to say than the state.
    pub reason: Option<Reason>,
    /// Its lane.
    pub lane: LaneId,
    /// The hash of its task id, if it bears one.
    pub id_hash: Option<u64>,
    /// The hashes of its tags, rising.
    pub tags: Vec<u64>,
    /// The number of the newest claim; the first claim is 1.
    pub claim: u64,
    /// Attempts that ended in retry.
    pub retries: u32,
    /// Attempts given back by snooze.
    pub snoozes: u32,
    /// Attempts given back because they were stopped, since one last ended by itself.
    pub returned: u32,
    /// Crashes that found it running and were charged to it.
    pub interruptions: u32,
    /// Whether its newest attempt is that of a suspect beside which no other body has lived (S7.3).
    pub alone: bool,
    /// Whether other work has taken its task id over while it was Quarantined.
    pub ousted: bool,
    /// When it was scheduled.
    pub enqueued_at: WallTime,
    /// The earliest start.
    pub due: WallTime,
    /// From when it is not started any more; written with it, taken off by its first claim.
    pub expires_at: Option<WallTime>,
    /// Until when its back-off lasts, where an update has made it due later than that; taken off by its next claim.
    pub backs_off_until: Option<WallTime>,
    /// The length of the wait that led to `due`: zero where `due` names a moment of the wall clock.
    pub wait: Duration,
    /// How far it jumps the queue; negative lets others pass.
    pub boost_millis: i64,
    /// Where an Enqueued piece is filed: among what may start, or by its due time.
    pub filed: Filed,
    /// What a Blocked piece waits for.
    pub blocked: Option<Blocked>,
    /// The piece whose success it waits for (S4.7); taken off by that success.
    pub after: Option<WorkId>,
    /// Whether a piece has been scheduled that waits for its success.
    pub followed: bool,
    /// When the newest attempt was claimed.
    pub claimed_at: Option<WallTime>,
    /// When it finished.
    pub finished_at: Option<WallTime>,
    /// From when a finished record may be pruned.
    pub prune_at: WallTime,
    /// The last attempts that ended, oldest first, at most [`HISTORY`].
    pub history: Vec<AttemptRecord>,
    /// The last progress that a running body reported, encoded as it was given.
    pub progress: Option<Opaque>,
    /// Where periodic work stands.
    pub period: Option<Box<PeriodRecord>>,
}

/// Where an Enqueued piece of work is filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Filed {
    /// In the time index, until its due time has come.
    Delayed,
    /// In its lane, by order key.
    Ready,
    /// Apart from the delayed: it may start along with other work before its due time.
    Flexible,
}

/// What a Blocked piece of work waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blocked {
    /// An earlier unfinished piece bears its task id.
    Behind,
    /// A body that runs no more in the store's eyes still lives in this process under its task id.
    Body,
}

/// One attempt that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptRecord {
    /// Its claim number.
    pub claim: u64,
    /// Its number for people, from 1.
    pub attempt: u32,
    /// When it was claimed.
    pub started: WallTime,
    /// When it ended.
    pub ended: WallTime,
    /// How it ended.
    pub end: AttemptEnd,
    /// Whether an error text of it is stored.
    pub has_error: bool,
}

impl WorkRecord {
    /// A record as it is born: Enqueued, due at once, nothing tried yet.
    pub fn new(id: WorkId, sequence: u64, lane: LaneId, now: WallTime) -> Self {
        Self {
            id,
            sequence,
            generation: 1,
            updated: false,
            automatic: false,
            state: WorkState::Enqueued,
            reason: None,
            lane,
            id_hash: None,
            tags: Vec::new(),
            claim: 0,
            retries: 0,
            snoozes: 0,
            returned: 0,
            interruptions: 0,
            alone: false,
            ousted: false,
            enqueued_at: now,
            due: now,
            expires_at: None,
            backs_off_until: None,
            wait: Duration::ZERO,
            boost_millis: 0,
            filed: Filed::Ready,
            blocked: None,
            after: None,
            followed: false,
            claimed_at: None,
            finished_at: None,
            prune_at: WallTime::MAX,
            history: Vec::new(),
            progress: None,
            period: None,
        }
    }

    /// The number of the present or next attempt, for people and for back-off: 1 + attempts ended in retry.
    pub const fn attempt(&self) -> u32 {
        self.retries.saturating_add(1)
    }

    /// Whether crashes have found it running so often that its next attempt is to run alone (S7.3).
    pub const fn is_suspect(&self) -> bool {
        self.interruptions >= 2
    }

    /// Whether it is past its expiry, so that no claim takes it (S1.7).
    pub fn has_lapsed(&self, now: WallTime) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Where it stands in its lane: due − boost.
    pub const fn order_key(&self) -> i64 {
        self.due.as_millis().saturating_sub(self.boost_millis)
    }

    /// Appends an ended attempt and drops the oldest past [`HISTORY`]; answers the one dropped.
    pub fn remember(&mut self, attempt: AttemptRecord) -> Option<AttemptRecord> {
        self.history.push(attempt);
        (self.history.len() > HISTORY).then(|| self.history.remove(0))
    }
}

impl AttemptRecord {
    /// An attempt that has ended.
    pub const fn new(claim: u64, attempt: u32, started: WallTime, ended: WallTime, end: AttemptEnd) -> Self {
        Self { claim, attempt, started, ended, end, has_error: false }
    }
}
