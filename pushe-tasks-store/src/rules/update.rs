//! What new options make of an unfinished record (S4.3, S4.4, S4.9, S5.5).
//!
//! Invariant: attempts, crashes and the time of scheduling stay; a grid stays as long as its rhythm does.

use std::time::Duration;

use crate::period::StoredPeriod;
use crate::record::WorkRecord;
use crate::rules::start;
use crate::spec::StoredOptions;
use crate::state::{AttemptEnd, WorkState};
use crate::time::WallTime;
use crate::verbs::{Settlement, Start};

/// Gives a record new options; `old` is the period that it had.
pub(crate) fn update(
    record: &mut WorkRecord,
    begins: Start,
    options: &StoredOptions,
    old: Option<&StoredPeriod>,
    now: WallTime,
) {
    record.generation = record.generation.saturating_add(1);
    if record.claim == 0 {
        record.expires_at = start::expiry(options, record.enqueued_at);
    }
    record.updated = record.state == WorkState::Running;
    match &options.period {
        Some(period) => set_period(record, begins, period, old, now),
        None => set_due(record, begins),
    }
    if record.state == WorkState::Enqueued {
        start::file(record, now);
    }
}

/// Due is the later of the new delay, counted from when it was scheduled, and a back-off under way.
fn set_due(record: &mut WorkRecord, begins: Start) {
    let (due, wait) = match begins {
        Start::After(length) => (record.enqueued_at.plus(length), length),
        Start::At(moment) => (moment, Duration::ZERO),
    };
    let waits = record.state == WorkState::Enqueued;
    let backs_off = record.backs_off_until.or(Some(record.due).filter(|_| waits && backs_off(record)));
    record.backs_off_until = backs_off;
    if backs_off.is_none_or(|until| until <= due) {
        (record.due, record.wait) = (due, wait);
    } else if let Some(until) = backs_off
        && until != record.due
    {
        // The delay that was later than the back-off is gone.
        (record.due, record.wait) = (until, Duration::ZERO);
    }
}

/// Whether it waits since its last attempt asked for it.
fn backs_off(record: &WorkRecord) -> bool {
    let end = record.history.last().map(|past| past.end);
    let asked = [AttemptEnd::Retried, AttemptEnd::Panicked, AttemptEnd::TimedOut, AttemptEnd::Snoozed];
    end.is_some_and(|end| asked.contains(&end))
}

fn set_period(
    record: &mut WorkRecord,
    begins: Start,
    new: &StoredPeriod,
    old: Option<&StoredPeriod>,
    now: WallTime,
) {
    let Some(period) = record.period.as_deref_mut() else { return };
    if old.is_some_and(|old| old.rhythm == new.rhythm) {
        if period.restarts.is_none() {
            period.set_window(new);
        }
        return;
    }
    let (first, wait) = match begins {
        Start::After(length) => (now.plus(length), length),
        Start::At(moment) => (moment, Duration::ZERO),
    };
    if record.state == WorkState::Running {
        period.restarts = Some(first);
    } else {
        period.restart(first, new.flex);
        begin_grid(record, first, wait);
    }
}

/// The first slot of a new grid is a new period.
fn begin_grid(record: &mut WorkRecord, first: WallTime, wait: Duration) {
    record.retries = 0;
    (record.due, record.wait) = (first, wait);
    start::overridden(record);
}

/// What the end of an attempt makes of a record that has new options since: whatever it was, the work is Enqueued again
/// (S4.4). `due` and `wait` are those that the options ask for, `period` is the one that they have; the record has already
/// been settled.
pub(crate) fn go_on(
    record: &mut WorkRecord,
    settlement: Option<&Settlement>,
    (due, wait): (WallTime, Duration),
    period: Option<&StoredPeriod>,
    at: WallTime,
) {
    let waits = record.state == WorkState::Enqueued;
    record.state = WorkState::Enqueued;
    record.reason = None;
    if !waits {
        // It would have ended: what comes now is another piece of work in all but its id.
        (record.progress, record.finished_at, record.prune_at) = (None, None, WallTime::MAX);
        record.retries = 0;
    }
    match (record.period.as_deref_mut(), period) {
        (Some(stands), Some(new)) => {
            if let Some(first) = stands.restarts {
                stands.restart(first, new.flex);
                begin_grid(record, first, first.since(at));
            } else if waits {
                stands.set_window(new);
            } else {
                // No slot is known to come after it: it is run again.
                (stands.began, stands.failed) = (None, 0);
                (record.due, record.wait) = (at, Duration::ZERO);
            }
        }
        _ => match settlement {
            Some(Settlement::Retry { .. } | Settlement::Snooze { .. }) if record.due > due => {}
            Some(Settlement::Retry { .. } | Settlement::Snooze { .. }) => {
                record.backs_off_until = Some(record.due);
                (record.due, record.wait) = (due, wait);
            }
            _ => (record.due, record.wait) = (due, wait),
        },
    }
    start::file(record, at);
}
