//! When a piece may start: at its birth, at its release, and when it comes back from an attempt.

use std::time::Duration;

use crate::record::{Blocked, Filed, WorkRecord};
use crate::state::WorkState;
use crate::time::WallTime;
use crate::verbs::Start;

/// Files an Enqueued record by its due time.
pub(crate) fn file(record: &mut WorkRecord, now: WallTime) {
    record.filed = if record.due <= now { Filed::Ready } else { Filed::Delayed };
}

/// Gives a new record its due time, and its state: Blocked where it waits for other work.
pub(crate) fn begin(record: &mut WorkRecord, start: Start, blocked: Option<Blocked>, now: WallTime) {
    match start {
        Start::After(length) => (record.due, record.wait) = (now.plus(length), length),
        Start::At(moment) => (record.due, record.wait) = (moment, Duration::ZERO),
    }
    if blocked.is_some() {
        record.state = WorkState::Blocked;
        record.blocked = blocked;
    } else {
        file(record, now);
    }
}

/// What a Blocked piece that no earlier piece stands before becomes: it waits for a living body, or it is released and
/// its delay counts from now (S1.3). Answers whether the record has changed.
pub(crate) fn unblock(record: &mut WorkRecord, body_lives: bool, now: WallTime) -> bool {
    if record.state != WorkState::Blocked {
        return false;
    }
    if body_lives {
        let changed = record.blocked != Some(Blocked::Body);
        record.blocked = Some(Blocked::Body);
        return changed;
    }
    record.state = WorkState::Enqueued;
    record.blocked = None;
    if !record.wait.is_zero() {
        record.due = now.plus(record.wait);
    }
    file(record, now);
    true
}

/// Enqueues a record whose attempt was given back: it may run again at once, before what came later (S1.10).
pub(crate) fn again(record: &mut WorkRecord, now: WallTime) {
    record.state = WorkState::Enqueued;
    record.due = record.due.min(now);
    record.wait = Duration::ZERO;
    file(record, now);
}

/// Enqueues a record that is to wait for this long (S1.8, S1.9).
pub(crate) fn later(record: &mut WorkRecord, now: WallTime, wait: Duration) {
    record.state = WorkState::Enqueued;
    record.due = now.plus(wait);
    record.wait = wait;
    file(record, now);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{LaneId, WorkId};

    const NOW: WallTime = WallTime::from_millis(1_000);
    const LATER: WallTime = WallTime::from_millis(5_000);

    fn born(start: Start, blocked: Option<Blocked>) -> WorkRecord {
        let mut record = WorkRecord::new(WorkId::from_bytes([1; 16]), 1, LaneId(1), NOW);
        begin(&mut record, start, blocked, NOW);
        record
    }

    #[test]
    fn what_is_due_is_ready() {
        let check = |start, due, filed| {
            let record = born(start, None);
            assert_eq!((record.due.as_millis(), record.filed), (due, filed), "{start:?}");
        };
        check(Start::After(Duration::ZERO), 1_000, Filed::Ready);
        check(Start::After(Duration::from_millis(1)), 1_001, Filed::Delayed);
        check(Start::After(Duration::MAX), i64::MAX, Filed::Delayed);
        check(Start::At(WallTime::from_millis(1_000)), 1_000, Filed::Ready);
        check(Start::At(WallTime::from_millis(1_001)), 1_001, Filed::Delayed);
    }

    #[test]
    fn s1_3_a_delay_counts_from_the_release_and_a_moment_stays() {
        let check = |start, due, filed| {
            let mut record = born(start, Some(Blocked::Behind));
            assert!(unblock(&mut record, true, LATER));
            assert_eq!((record.state, record.blocked), (WorkState::Blocked, Some(Blocked::Body)));
            assert!(!unblock(&mut record, true, LATER));
            assert!(unblock(&mut record, false, LATER));
            assert!(!unblock(&mut record, false, LATER));
            assert_eq!((record.state, record.blocked), (WorkState::Enqueued, None));
            assert_eq!((record.due.as_millis(), record.filed), (due, filed), "{start:?}");
        };
        check(Start::After(Duration::from_secs(1)), 6_000, Filed::Delayed);
        check(Start::After(Duration::ZERO), 1_000, Filed::Ready);
        check(Start::At(WallTime::from_millis(3_000)), 3_000, Filed::Ready);
        check(Start::At(WallTime::from_millis(9_000)), 9_000, Filed::Delayed);
    }
}
