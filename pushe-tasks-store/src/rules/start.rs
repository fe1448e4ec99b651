//! When a piece may start: at its birth, at its release, and when it comes back from an attempt.

use std::time::Duration;

use crate::period::{NextSlot, PeriodRecord, StoredPeriod};
use crate::record::{Blocked, Filed, WorkRecord};
use crate::spec::StoredOptions;
use crate::state::WorkState;
use crate::time::WallTime;
use crate::verbs::Start;

/// When work with these options that is scheduled at this moment expires (S1.7); a slot that does is left out by whoever
/// knows when it was.
pub(crate) fn expiry(options: &StoredOptions, scheduled: WallTime) -> Option<WallTime> {
    let expires = options.expires.filter(|_| options.period.is_none())?;
    Some(scheduled.plus(expires))
}

/// Files an Enqueued record by its due time.
pub(crate) fn file(record: &mut WorkRecord, now: WallTime) {
    // Only the run of a slot may come early; a back-off, or a time that was asked for, is waited for to its end.
    let flexible =
        record.period.as_ref().is_some_and(|period| period.early < period.at && record.due == period.at);
    record.filed = match (record.due <= now, flexible) {
        (true, _) => Filed::Ready,
        (false, true) => Filed::Flexible,
        (false, false) => Filed::Delayed,
    };
}

/// Gives a new record its due time, and its state: Blocked where it waits for other work.
pub(crate) fn begin(
    record: &mut WorkRecord,
    start: Start,
    period: Option<&StoredPeriod>,
    blocked: Option<Blocked>,
    now: WallTime,
) {
    match start {
        Start::After(length) => (record.due, record.wait) = (now.plus(length), length),
        Start::At(moment) => (record.due, record.wait) = (moment, Duration::ZERO),
    }
    record.period = period.map(|period| Box::new(PeriodRecord::first(period, record.due)));
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
    // Where nothing stands before it and it still waits for a success, that piece is Quarantined.
    if record.state != WorkState::Blocked || record.after.is_some() {
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
        set_due(record, now.plus(record.wait));
    }
    file(record, now);
    true
}

/// Moves the due time, and with it the slot that waits for it.
fn set_due(record: &mut WorkRecord, due: WallTime) {
    if let Some(period) = record.period.as_deref_mut().filter(|period| period.at == record.due) {
        let flex = period.at.since(period.early);
        (period.at, period.early) = (due, due.minus(flex));
    }
    record.due = due;
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
    (record.due, record.wait) = (now.plus(wait), wait);
    overridden(record);
    file(record, now);
}

/// Enqueues periodic work for its next slot (S1.11).
pub(crate) fn next_slot(record: &mut WorkRecord, next: &NextSlot, now: WallTime) {
    record.state = WorkState::Enqueued;
    (record.due, record.wait) = (next.at, next.wait);
    if let Some(period) = record.period.as_deref_mut() {
        (period.slot, period.at, period.early) = (next.number, next.at, next.early.min(next.at));
        (period.began, period.asked) = (None, false);
    }
    overridden(record);
    file(record, now);
}

/// Lets the next run be at this moment, or where it would have been (S5.6).
pub(crate) fn override_next(record: &mut WorkRecord, at: Option<WallTime>, now: WallTime) {
    let Some(period) = record.period.as_deref_mut() else { return };
    let was = std::mem::replace(&mut period.overridden, at);
    if at.is_none() && was.is_some() && record.state != WorkState::Running {
        (record.due, record.wait) = (period.at, Duration::ZERO);
    }
    if record.state == WorkState::Running {
        return;
    }
    overridden(record);
    if record.state == WorkState::Enqueued {
        file(record, now);
    }
}

/// Lets waiting work start as soon as nothing else keeps it (S9.1): its delay and back-off are over. Periodic work that waits
/// for a slot has its next run now.
pub(crate) fn at_once(record: &mut WorkRecord, now: WallTime) {
    if record.period.as_ref().is_some_and(|period| period.began.is_none()) {
        return override_next(record, Some(now), now);
    }
    (record.due, record.wait, record.backs_off_until) = (record.due.min(now), Duration::ZERO, None);
    if record.state == WorkState::Enqueued {
        file(record, now);
    }
}

/// Enqueues failed or quarantined work anew (S1.15, S1.16): with attempts of a new generation, and at once, or, of periodic
/// work, at the slot that it stood at.
pub(crate) fn requeue(record: &mut WorkRecord, blocked: Option<Blocked>, now: WallTime) {
    record.generation = record.generation.saturating_add(1);
    (record.retries, record.snoozes, record.returned, record.interruptions) = (0, 0, 0, 0);
    (record.alone, record.ousted, record.updated) = (false, false, false);
    record.backs_off_until = None;
    (record.reason, record.progress, record.finished_at) = (None, None, None);
    record.backs_off_until = None;
    record.prune_at = WallTime::MAX;
    (record.due, record.wait) = (now, Duration::ZERO);
    if let Some(period) = record.period.as_deref_mut() {
        (period.began, period.overridden, period.asked, period.failed) = (None, None, false, 0);
        record.due = period.at;
    }
    record.blocked = blocked;
    if blocked.is_some() {
        record.state = WorkState::Blocked;
    } else {
        record.state = WorkState::Enqueued;
        file(record, now);
    }
}

/// Makes a wait by duration as long as it was to be, where the clock was set back; `every` is the period of work that has
/// one. A slot moves only where the wait has grown by more than a period, and the grid moves with it (S8.1). Answers
/// whether it has moved.
pub(crate) fn clamp(record: &mut WorkRecord, every: Option<Duration>, now: WallTime) -> bool {
    let due = now.plus(record.wait);
    let excess = record.due.since(due);
    let is_slot = record.period.as_ref().is_some_and(|period| period.at == record.due);
    let allowed = if is_slot { every.unwrap_or(Duration::MAX) } else { Duration::ZERO };
    if record.wait.is_zero() || excess <= allowed {
        return false;
    }
    set_due(record, due);
    record.backs_off_until = record.backs_off_until.map(|until| until.min(due));
    // A run that has not begun comes no sooner than its slot, whatever it was put off for.
    if let Some(period) = record.period.as_deref().filter(|period| period.began.is_none() && !is_slot)
        && record.due < period.at
    {
        record.due = period.at;
        record.wait = every.map_or(Duration::ZERO, |_| period.at.since(now));
    }
    file(record, now);
    true
}

/// The time that was asked for goes before every other (S5.6).
pub(crate) fn overridden(record: &mut WorkRecord) {
    if let Some(at) = record.period.as_ref().and_then(|period| period.overridden) {
        (record.due, record.wait) = (at, Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{LaneId, WorkId};

    const NOW: WallTime = WallTime::from_millis(1_000);
    const LATER: WallTime = WallTime::from_millis(5_000);

    fn born(start: Start, blocked: Option<Blocked>) -> WorkRecord {
        let mut record = WorkRecord::new(WorkId::from_bytes([1; 16]), 1, LaneId(1), NOW);
        begin(&mut record, start, None, blocked, NOW);
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
